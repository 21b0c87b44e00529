"""The clients that a widely copied tutorial of A2A's first year shows.

Usage: `seed_003.py URL`, or `seed_003.py secure URL` for the client that has a token, from
LEGATION_BENCH_TOKEN. They follow no version of the specification: REST paths named after the
methods of 0.1, no ids, parts with a `type`, events without an envelope. The calls and the
reading of the answers are the tutorial's; only what is checked of them is ours.
Prints `pass NAME` or `fail NAME: reason` for every check; exits with 1 when one failed.
"""

import asyncio
import json
import os
import sys

import httpx
import requests

from runner import passes


QUESTION = 'Analyze this sales data and provide a trend analysis: [100, 120, 95, 140, 160]'

EMPTY = 'Agent returned an empty result'


def payload(text):
    return {'message': {'role': 'user', 'parts': [{'type': 'text', 'text': text}]}}


def texts(artifact):
    return [part['text'] for part in artifact.get('parts', []) if part.get('type') == 'text']


class A2AClient:
    """Looks an agent up and sends it a task."""

    def __init__(self, agent_url):
        self.agent_url = agent_url.rstrip('/')

    def discover(self):
        return requests.get(f'{self.agent_url}/.well-known/agent.json').json()

    def send_task(self, text):
        response = requests.post(f'{self.agent_url}/tasks/send', json=payload(text))
        for artifact in response.json().get('artifacts', []):
            for text in texts(artifact):
                return text
        return EMPTY


class A2ASecureClient:
    """Sends a task with a token."""

    def __init__(self, agent_url, token):
        self.agent_url = agent_url
        self.headers = {'Authorization': f'Bearer {token}', 'Content-Type': 'application/json'}

    def send_task(self, text):
        response = requests.post(
            f'{self.agent_url}/tasks/send', json=payload(text), headers=self.headers
        )
        response.raise_for_status()
        return response.json()


async def subscribe_task(agent_url, text):
    """Follows a task; returns the states and the texts that the tutorial prints."""
    states, said = [], []
    async with httpx.AsyncClient() as client:
        stream = client.stream('POST', f'{agent_url}/tasks/sendSubscribe', json=payload(text))
        async with stream as response:
            async for line in response.aiter_lines():
                if line.startswith('data: '):
                    event = json.loads(line[6:])
                    states.append(event.get('status', {}).get('state', 'unknown'))
                    if artifact := event.get('artifact'):
                        said.extend(texts(artifact))
    return states, said


def is_analysis(text):
    assert 'rise by 14' in text and 'mean 123' in text, f'no analysis: {text!r}'


def discover(url):
    card = A2AClient(url).discover()
    skills = [skill['name'] for skill in card.get('skills', [])]
    assert card['name'] == 'Data Analyst' and skills, f'another card: {card}'


def send_task(url):
    answer = A2AClient(url).send_task(QUESTION)
    print(answer)
    is_analysis(answer)


def stream_task(url):
    states, said = asyncio.run(subscribe_task(url, QUESTION))
    assert states[0] in ('submitted', 'working') and states[-1] == 'completed', states
    is_analysis('\n'.join(said))


def send_task_with_token(url):
    task = A2ASecureClient(url, os.environ['LEGATION_BENCH_TOKEN']).send_task(QUESTION)
    assert task['id'] and task['status']['state'] == 'completed', task
    is_analysis(texts(task['artifacts'][0])[0])


def send_task_with_another_token(url):
    try:
        A2ASecureClient(url, 'another-token-that-nobody-was-given').send_task(QUESTION)
    except requests.HTTPError as refusal:
        assert refusal.response.status_code == 401, refusal
    else:
        raise AssertionError('a stranger was answered')


def main(url, secure):
    open_checks = [discover, send_task, stream_task]
    checks = [send_task_with_token, send_task_with_another_token] if secure else open_checks
    places = {'the host': url, 'the agent': f'{url}/a2a/agents/data-analyst'}
    results = [
        passes(f'{where} {check.__name__}', check, place)
        for where, place in places.items()
        for check in checks
    ]
    return all(results)


if __name__ == '__main__':
    sys.exit(0 if main(sys.argv[-1], 'secure' in sys.argv) else 1)
