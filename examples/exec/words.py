"""An agent in Python: counts the words of a text or of files, and asks when there are none.

    PYTHONPATH=sdk/python/src python3 examples/exec/words.py one two three

As an agent: command ["python3", "examples/exec/words.py"], as a pool or per task, with
PYTHONPATH set to sdk/python/src unless `pip install sdk/python` was done.
"""

from legation_agent import agent  # first, so that no library's prints break the protocol

from collections import Counter


@agent
def run(turn):
    texts = [turn.text] + [file.data.decode() for file in turn.files if file.data]
    words = Counter(" ".join(texts).lower().split())
    if not words:
        turn.ask("Which text shall I count?")
    turn.status(f"counting {sum(words.values())} words")
    yield "The most frequent words: "
    yield ", ".join(f"{word} ({count})" for word, count in words.most_common(3))
    turn.data({"words": sum(words.values()), "different": len(words)}, name="Figures")
