"""The call that the documentation of an A2A product of 2025 shows, as curl sends it.

Usage: `seed_004.py URL` with the bearer token in LEGATION_BENCH_TOKEN. The message has no id,
its part no kind, and no header names a version; the body is the documentation's to the letter.
Prints `pass NAME` or `fail NAME: reason` for every check; exits with 1 when one failed.
"""

import json
import os
import sys
import urllib.error
import urllib.request

from runner import passes


BODY = (
    '{"jsonrpc":"2.0","method":"message/send","params":{"message":{"role":"user",'
    '"parts":[{"text":"Hello"}]}},"id":"1"}'
)

QUESTION = 'Analyze this sales data and provide a trend analysis: [100, 120, 95, 140, 160]'


def post(url, body, token):
    headers = {'Content-Type': 'application/json'}
    if token:
        headers['Authorization'] = f'Bearer {token}'
    request = urllib.request.Request(url, body.encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


def answer(url, body):
    """Returns the task or message that answers a call."""
    response = post(url, body, os.environ['LEGATION_BENCH_TOKEN'])
    assert response['jsonrpc'] == '2.0' and response['id'] == '1', response
    assert 'result' in response, response
    return response['result']


def said(result):
    """All text of a task or message, wherever it stands."""
    holders = [result, result.get('status', {}).get('message') or {}]
    parts = [part for of in holders + result.get('artifacts', []) for part in of.get('parts', [])]
    return '\n'.join(part['text'] for part in parts if part['kind'] == 'text')


def hello(url):
    """The analyst finds no numbers in it and asks for some."""
    result = answer(url, BODY)
    assert result['kind'] == 'task' and result['status']['state'] == 'input-required', result
    assert said(result), result


def question(url):
    result = answer(url, BODY.replace('Hello', QUESTION))
    assert result['kind'] == 'task' and result['status']['state'] == 'completed', result
    text = said(result)
    print(text)
    assert 'rise by 14' in text and 'mean 123' in text, f'no analysis: {text!r}'


def refuses_without_token(url):
    try:
        post(url, BODY, None)
    except urllib.error.HTTPError as refusal:
        assert refusal.code == 401, refusal
    else:
        raise AssertionError('a stranger was answered')


def card(url):
    """The documentation's card has a name, a description, a version and skills."""
    host = url.split('/a2a/')[0]
    with urllib.request.urlopen(f'{host}/.well-known/agent.json', timeout=20) as response:
        card = json.load(response)
    assert card['name'] == 'Data Analyst' and card['description'] and card['version'], card
    assert all(skill.keys() >= {'id', 'name', 'description'} for skill in card['skills']), card


def main(url):
    checks = [card, hello, question, refuses_without_token]
    agent = f'{url}/a2a/data-analyst'
    return all([passes(check.__name__, check, agent) for check in checks])


if __name__ == '__main__':
    sys.exit(0 if main(sys.argv[1]) else 1)
