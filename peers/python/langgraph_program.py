"""A LangGraph graph as a program behind the server: a model that a script plays, and a tool.

The server runs it as a pool of one worker. `behind.py` calls it.
"""

from legation_agent import agent  # first, so that no library's prints break the protocol

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition


@tool
def multiply(a: int, b: int) -> int:
    """Multiplies two numbers."""
    return a * b


def graph(a, b):
    call = {'name': 'multiply', 'args': {'a': a, 'b': b}, 'id': 'call-1'}
    script = [AIMessage('', tool_calls=[call]), AIMessage('It is {product} as the tool says.')]
    model = GenericFakeChatModel(messages=iter(script))

    def think(state):
        answer = model.invoke(state['messages'])
        last = state['messages'][-1]
        if isinstance(last, ToolMessage):
            answer = AIMessage(answer.content.format(product=last.content), id=answer.id)
        return {'messages': [answer]}

    builder = StateGraph(MessagesState)
    builder.add_node('think', think)
    builder.add_node('tools', ToolNode([multiply]))
    builder.add_edge(START, 'think')
    builder.add_conditional_edges('think', tools_condition)
    builder.add_edge('tools', 'think')
    return builder.compile()


@agent
def run(turn):
    numbers = [int(word) for word in turn.text.split() if word.isdigit()]
    if len(numbers) != 2:
        turn.ask('Which two numbers?')
    messages = {'messages': [HumanMessage(turn.text)]}
    for step in graph(*numbers).stream(messages, stream_mode='updates'):
        for node, update in step.items():
            turn.status(f'step {node}')
            last = update['messages'][-1]
    print('this goes to the log')
    yield last.content
