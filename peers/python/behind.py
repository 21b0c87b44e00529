"""Calls an agent whose program is a framework's: multiplies with a tool, or asks for numbers.

Usage: `behind.py URL` with the bearer token in LEGATION_BENCH_TOKEN. The server's default agent
is one of the `*_program.py` beside this. The standard library is enough. Prints `pass NAME` or
`fail NAME: reason` for every check; exits with 1 when one failed.
"""

import json
import os
import sys
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

from runner import passes


def send(url, text, task=None, path='message:send'):
    message = {'messageId': str(uuid.uuid4()), 'role': 'ROLE_USER', 'parts': [{'text': text}]}
    if task:
        message['taskId'] = task
    headers = {
        'Content-Type': 'application/json',
        'A2A-Version': '1.0',
        'Authorization': f'Bearer {os.environ["LEGATION_BENCH_TOKEN"]}',
    }
    body = json.dumps({'message': message}).encode()
    request = urllib.request.Request(f'{url}/{path}', body, headers)
    # The first message waits for the framework to be loaded.
    with urllib.request.urlopen(request, timeout=120) as response:
        return response.read().decode()


def task(url, text, task=None):
    return json.loads(send(url, text, task))['task']


def said(task):
    parts = [part for artifact in task.get('artifacts', []) for part in artifact['parts']]
    return ''.join(part.get('text', '') for part in parts)


def answers(url):
    done = task(url, 'What is 6 times 7 ?')
    assert done['status']['state'] == 'TASK_STATE_COMPLETED', done
    assert said(done) == 'It is 42 as the tool says.', done


def asks_and_goes_on(url):
    asked = task(url, 'Multiply, please')
    assert asked['status']['state'] == 'TASK_STATE_INPUT_REQUIRED', asked
    done = task(url, '4 and 5', asked['id'])
    assert said(done) == 'It is 20 as the tool says.', done


def streams(url):
    stream = send(url, 'What is 2 times 3 ?', path='message:stream')
    events = [json.loads(line[5:]) for line in stream.splitlines() if line.startswith('data:')]
    notes = [str(event.get('statusUpdate', '')) for event in events]
    assert any('step ' in note for note in notes), events
    assert any('It is 6 as' in json.dumps(event) for event in events), events


def serves_many_at_once(url):
    def one(n):
        return said(task(url, f'What is {n} times {n} ?'))

    with ThreadPoolExecutor(8) as pool:
        for n, text in enumerate(pool.map(one, range(16))):
            assert text == f'It is {n * n} as the tool says.', (n, text)


def main(url):
    checks = (answers, asks_and_goes_on, streams, serves_many_at_once)
    return all([passes(check.__name__.replace('_', ' '), check, url) for check in checks])


if __name__ == '__main__':
    sys.exit(0 if main(sys.argv[1]) else 1)
