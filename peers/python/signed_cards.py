"""Cards that we signed, verified by the official SDK, and cards that it signed, verified by us.

The argument is the address of a server with `server.signing` and `auth: none`; `LEGATION` is the command. A
requirement without scopes is empty to the SDK, which leaves it out where the specification keeps it; so it
does not verify the specification's signature over a card that has one.
"""

import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request

from a2a.types import AgentCard
from a2a.utils.signing import (
    InvalidSignaturesError,
    create_agent_card_signer,
    create_signature_verifier,
)
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from google.protobuf.json_format import MessageToJson, ParseDict
from jwt import PyJWK
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
CURVES = {'ES256': ec.SECP256R1, 'ES384': ec.SECP384R1, 'ES512': ec.SECP521R1}


def get(url: str) -> dict:
    with urllib.request.urlopen(url) as response:
        return json.load(response)


def theirs_verifies_ours(base: str) -> None:
    keys = {key['kid']: PyJWK(key) for key in get(f'{base}/.well-known/jwks.json')['keys']}
    assert keys
    for profile in ['v1', 'hybrid']:
        document = get(f'{base}/.well-known/agent-card.json?profile={profile}')
        for kid, key in keys.items():
            card = ParseDict(document, AgentCard(), ignore_unknown_fields=True)
            provide = {kid: key}
            # One key at a time, so that each signature is verified; the others are of no known key.
            verify = create_signature_verifier(lambda name, _: provide.get(name, other()), ALGORITHMS)
            verify(card)
            card.description += '!'
            try:
                verify(card)
            except InvalidSignaturesError:
                pass
            else:
                raise AssertionError(f'{profile}: a changed card verifies by {kid}')
            print(f'pass the SDK verifies our {profile} card by {kid}, and no changed one')


def other() -> PyJWK:
    return PyJWK(jwk(ed25519.Ed25519PrivateKey.generate().public_key(), 'other', 'EdDSA'))


def jwk(public, kid: str, alg: str) -> dict:
    of = OKPAlgorithm if alg == 'EdDSA' else ECAlgorithm if alg.startswith('ES') else RSAAlgorithm
    members = json.loads(of.to_jwk(public))
    members.pop('key_ops', None)
    return {**members, 'kid': kid, 'alg': alg, 'use': 'sig'}


def key_for(alg: str):
    if alg == 'EdDSA':
        return ed25519.Ed25519PrivateKey.generate()
    if alg in CURVES:
        return ec.generate_private_key(CURVES[alg]())
    return rsa.generate_private_key(65537, 2048)


def ours_verifies_theirs(base: str, legation: str) -> None:
    document = get(f'{base}/.well-known/agent-card.json?profile=v1')
    document.pop('signatures', None)
    # What their form leaves out and ours does not, and text that is not ASCII.
    document['description'] = 'Größe in €, 𐀀'
    document['documentationUrl'] = ''
    served = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header('Content-Type', 'application/json')
            self.end_headers()
            self.wfile.write(served['card'].encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f'http://127.0.0.1:{server.server_port}'
    for alg in ALGORITHMS:
        key = key_for(alg)
        card = ParseDict(document, AgentCard())
        card = create_agent_card_signer(key, {'alg': alg, 'kid': 'k', 'typ': 'JOSE', 'jku': None})(card)
        with tempfile.NamedTemporaryFile('w', suffix='.json') as keys:
            json.dump({'keys': [jwk(key.public_key(), 'k', alg)]}, keys)
            keys.flush()
            command = [legation, 'card', url, '--verify', '--trust', keys.name]
            for change, code in [('', 0), ('!', 1)]:
                card.description += change
                served['card'] = MessageToJson(card)
                done = subprocess.run(command, capture_output=True, text=True)
                assert done.returncode == code, (alg, change, done)
        print(f'pass we verify a card that the SDK signed by {alg}, and no changed one')


if __name__ == '__main__':
    theirs_verifies_ours(sys.argv[1])
    ours_verifies_theirs(sys.argv[1], os.environ['LEGATION'])
