"""A CrewAI crew as a program behind the server: a model that a script plays, and a tool.

The server runs it as a pool of one worker. `behind.py` calls it.
"""

from legation_agent import agent  # first, so that no library's prints break the protocol

import os
import re

os.environ.setdefault('CREWAI_DISABLE_TELEMETRY', 'true')
os.environ.setdefault('OTEL_SDK_DISABLED', 'true')

from crewai import Agent, BaseLLM, Crew, Task
from crewai.tools import tool


@tool('multiply')
def multiply(a: int, b: int) -> str:
    """Multiplies two numbers."""
    return str(a * b)


class Scripted(BaseLLM):
    """Asks for the tool, then says what the tool has said."""

    numbers: tuple = (0, 0)

    def supports_function_calling(self):
        return False

    def call(self, messages, *_, **__):
        said = [messages] if isinstance(messages, str) else [str(m['content']) for m in messages]
        # The instructions speak of observations too, but of no numbers.
        products = re.findall(r'Observation: *(\d+)', '\n'.join(said))
        if products:
            product = products[-1]
            return f'Thought: I know it now\nFinal Answer: It is {product} as the tool says.'
        a, b = self.numbers
        return f'Thought: I need the tool\nAction: multiply\nAction Input: {{"a": {a}, "b": {b}}}'


@agent
def run(turn):
    numbers = [int(word) for word in turn.text.split() if word.isdigit()]
    if len(numbers) != 2:
        turn.ask('Which two numbers?')
    llm = Scripted(model='scripted')
    llm.numbers = tuple(numbers)
    clerk = Agent(
        role='Clerk', goal='Multiply', backstory='You like numbers', llm=llm, tools=[multiply]
    )
    task = Task(description=turn.text, expected_output='The product', agent=clerk)
    turn.status('step crew')
    crew = Crew(agents=[clerk], tasks=[task], verbose=True)
    return crew.kickoff().raw
