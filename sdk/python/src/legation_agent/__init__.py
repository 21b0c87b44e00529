"""Make a Python function an agent behind Legation.

    from legation_agent import agent

    @agent
    def run(turn):
        yield "You said: "
        yield turn.text

The server starts this file as a program and speaks lines of JSON with it, which
`docs/exec.md` of Legation describes. Started by hand, the file reads text and prints
what the agent says. Only the standard library is used.

Import this module first: from then on what anybody prints goes to the error output,
which the server logs, so that no library can break the protocol.
"""

import asyncio
import base64
import inspect
import json
import os
import queue
import signal
import sys
import threading
import traceback
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Union

__all__ = ["Cancelled", "File", "Turn", "agent", "serve"]

#: The version of the protocol. The server says in this variable that it speaks it.
_PROTOCOL = 1
_VARIABLE = "LEGATION_PROTOCOL"


def _take_over_stdout():
    """Keep the standard output for the protocol; prints go to the error output."""
    out = os.fdopen(os.dup(1), "wb")
    sys.stdout.flush()
    os.dup2(2, 1)
    return out


_out = _take_over_stdout() if _VARIABLE in os.environ else None


class Cancelled(Exception):
    """Nobody waits for this turn any more."""


class _End(Exception):
    """Ends a turn with a line; what `ask` and its like raise."""

    def __init__(self, line: Dict[str, Any]):
        super().__init__(line["type"])
        self.line = line


class File(NamedTuple):
    """A file that the caller sent: its bytes, or an address where it can be fetched."""

    name: Optional[str]
    media_type: Optional[str]
    data: Optional[bytes]
    url: Optional[str]


class Turn:
    """One message to work on, and where to put what comes of it."""

    def __init__(self, told: Dict[str, Any], say: Callable[[Dict[str, Any]], None]):
        self._say = say
        self._run = told.get("run")
        self._cancelled = threading.Event()
        self._further: "queue.SimpleQueue[str]" = queue.SimpleQueue()
        #: The text parts of the message.
        self.text: str = told.get("text", "")
        #: The message as A2A 1.0 has it.
        self.message: Dict[str, Any] = told.get("message", {})
        self.task: Optional[str] = told.get("task")
        self.context: Optional[str] = told.get("context")
        #: 1, or more when an earlier attempt at this message was lost.
        self.attempt: int = told.get("attempt", 1)
        #: What was said before, oldest first, as A2A 1.0 has them.
        self.history: List[Dict[str, Any]] = told.get("history", [])
        #: What the task holds already, as A2A 1.0 has it.
        self.artifacts: List[Dict[str, Any]] = told.get("artifacts", [])
        #: The JSON Schema that the answer shall satisfy.
        self.schema: Any = told.get("schema")
        #: Metadata of the request.
        self.metadata: Dict[str, Any] = told.get("metadata", {})
        #: Media types that the caller can use; empty when it said nothing.
        self.output_modes: List[str] = told.get("outputModes", [])
        #: An answer to this message that did not satisfy the schema, for another try: its parts
        #: as `answer`, and the `reason`. Only with `@agent(unfit=True)`.
        self.unfit: Optional[Dict[str, Any]] = told.get("unfit")
        #: The answer to an authorization that an earlier turn on this message asked for:
        #: `redirectUri`, `parameters` such as `code` or `error`, and what was `kept`.
        self.granted: Optional[Dict[str, Any]] = told.get("granted")
        #: Whose task it is: `tenant`, `subject` and, where they are bounded, `scopes`.
        self.caller: Dict[str, Any] = told.get("caller", {})
        #: Headers of the caller's request that the operator lets through, by their names in
        #: lower case. Print none of them: what is printed goes to the log.
        self.credentials: Dict[str, str] = told.get("credentials", {})

    @property
    def files(self) -> List[File]:
        """The files of the message."""
        files = []
        for part in self.message.get("parts", []):
            raw, url = part.get("raw"), part.get("url")
            if raw is not None or url is not None:
                data = None if raw is None else base64.b64decode(raw)
                files.append(File(part.get("filename"), part.get("mediaType"), data, url))
        return files

    @property
    def inputs(self) -> List[Any]:
        """The data parts of the message."""
        return [part["data"] for part in self.message.get("parts", []) if "data" in part]

    @property
    def said(self) -> List[str]:
        """What the caller has said in this task so far, this message last."""
        own = (m for m in self.history if m.get("taskId", self.task) == self.task)
        earlier = (m for m in own if m.get("role") == "ROLE_USER")
        texts = ("\n".join(p["text"] for p in m["parts"] if "text" in p) for m in earlier)
        return [*texts, self.text]

    def status(self, text: Optional[str] = None) -> None:
        """Tell that the work goes on."""
        self._tell("status", text=text)

    def say(self, text: str) -> None:
        """Add text to the answer; the same as to yield it."""
        self._tell("chunk", text=text)

    def artifact(
        self,
        content: Any,
        *,
        name: Optional[str] = None,
        id: Optional[str] = None,
        description: Optional[str] = None,
        media_type: Optional[str] = None,
        filename: Optional[str] = None,
    ) -> None:
        """Give text, bytes or data as an artifact; the same id again replaces it."""
        part: Dict[str, Any]
        if isinstance(content, str):
            part = {"text": content}
        elif isinstance(content, (bytes, bytearray)):
            part = {"raw": base64.b64encode(content).decode("ascii")}
        else:
            part = {"data": content}
        if media_type is not None:
            part["mediaType"] = media_type
        if filename is not None:
            part["filename"] = filename
        self._tell("artifact", parts=[part], artifact=id, name=name, description=description)

    def data(self, value: Any, *, name: Optional[str] = None, id: Optional[str] = None) -> None:
        """Give structured data as an artifact."""
        self._check()
        line = _without_none(type="data", run=self._run, artifact=id, name=name)
        self._say({**line, "data": value})

    def usage(self, **figures: Any) -> None:
        """Tell what the work has cost, such as tokens."""
        self._tell("usage", data=figures)

    def log(self, text: str) -> None:
        """Write to the server's log, with the task's id."""
        self._tell("log", text=text)

    def ask(self, question: str) -> None:
        """Ask the caller for more and end this turn.

        The reply begins another turn, with what was said before in `history` and `said`.
        """
        raise _End({"type": "question", "text": question})

    def authenticate(self, text: str, url: Optional[str] = None, keep: Any = None) -> None:
        """Ask the caller to sign in somewhere and end this turn.

        With the `url` of an authorization request, without `redirect_uri` and `state`, the answer
        begins another turn on the same message: it is in `granted`, with what was to `keep`.
        """
        raise _End(_without_none(type="auth", text=text, url=url, keep=keep))

    def reject(self, reason: str) -> None:
        """Refuse the work and end this turn."""
        raise _End({"type": "reject", "text": reason})

    def fail(self, reason: str) -> None:
        """Fail with a reason that the caller reads, and end this turn."""
        raise _End({"type": "failure", "text": reason})

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for this turn any more."""
        return self._cancelled.is_set()

    def sleep(self, seconds: float) -> None:
        """Wait, but not longer than somebody waits for this turn."""
        if self._cancelled.wait(seconds):
            raise Cancelled

    def further(self, timeout: Optional[float] = None) -> Optional[str]:
        """What the caller has said since the turn began; waits up to `timeout` seconds."""
        try:
            return self._further.get(timeout is not None, timeout)
        except queue.Empty:
            return None

    def _tell(self, kind: str, **members: Any) -> None:
        self._check()
        self._say(_without_none(type=kind, run=self._run, **members))

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled

    def _give(self, piece: Any) -> None:
        if isinstance(piece, str):
            self.say(piece)
        elif isinstance(piece, (bytes, bytearray)):
            self.artifact(piece)
        elif piece is None:
            self._check()
        else:
            self.data(piece)

    def _complete(self, answer: Any) -> Dict[str, Any]:
        if answer is None:
            return {"type": "complete"}
        if isinstance(answer, str):
            return {"type": "complete", "text": answer}
        if isinstance(answer, (bytes, bytearray)):
            raw = base64.b64encode(answer).decode("ascii")
            return {"type": "complete", "parts": [{"raw": raw}]}
        return {"type": "complete", "data": answer}


def _without_none(**members: Any) -> Dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _work(function: Callable[[Turn], Any], turn: Turn) -> Dict[str, Any]:
    """Work on a turn and give its last line."""
    try:
        result = function(turn)
        if inspect.isgenerator(result):
            result = _drain(result, turn)
        elif inspect.isasyncgen(result):
            result = asyncio.run(_drain_async(result, turn))
        elif inspect.isawaitable(result):
            result = asyncio.run(_wait_for(result))
        return turn._complete(result)
    except _End as end:
        return end.line
    except Cancelled:
        return {"type": "failure", "text": "the work was cancelled"}
    except BaseException as error:
        # Whatever it is, `SystemExit` too, the server waits for a last line.
        # What went wrong inside is for the log, not for strangers.
        traceback.print_exc()
        if isinstance(error, NameError):
            print("The function under @agent comes last: what is below it is not there yet.",
                  file=sys.stderr)
        return {"type": "failure", "text": f"the agent failed with {type(error).__name__}"}


def _drain(generator: Any, turn: Turn) -> Any:
    try:
        while True:
            turn._give(next(generator))
    except StopIteration as end:
        return end.value
    finally:
        generator.close()


async def _drain_async(generator: Any, turn: Turn) -> None:
    async for piece in generator:
        turn._give(piece)


async def _wait_for(awaitable: Any) -> Any:
    return await awaitable


class _Host:
    """The server at the other end of the pipes."""

    def __init__(
        self,
        function: Callable[[Turn], Any],
        concurrency: int,
        unfit: bool,
        lines: Any,
        out: Any,
    ):
        self.function = function
        self.concurrency = concurrency
        self.unfit = unfit
        self.lines = lines
        self.out = out
        self.writing = threading.Lock()
        self.turns: Dict[Optional[int], Turn] = {}
        self.waiting: "queue.SimpleQueue[Turn]" = queue.SimpleQueue()
        self.threads: List[threading.Thread] = []

    def say(self, line: Dict[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # A lone surrogate is no text that could be sent.
        data = text.encode("utf-8", "replace") + b"\n"
        with self.writing:
            self.out.write(data)
            self.out.flush()

    def serve(self) -> None:
        ready = {"type": "ready", "protocol": _PROTOCOL, "concurrency": self.concurrency}
        self.say({**ready, "unfit": True} if self.unfit else ready)
        try:
            for line in self.lines:
                self.hear(json.loads(line))
        finally:
            # Nobody is there any more, or the server asked us to end.
            for turn in list(self.turns.values()):
                turn._cancelled.set()

    def hear(self, told: Dict[str, Any]) -> None:
        kind, run = told.get("type"), told.get("run")
        if kind == "message":
            turn = self.turns[run] = Turn(told, self.say)
            self.waiting.put(turn)
            self.grow()
        elif run in self.turns:
            if kind == "cancel":
                self.turns[run]._cancelled.set()
            elif kind == "further":
                self.turns[run]._further.put(told.get("text", ""))

    def grow(self) -> None:
        """Have a thread for every turn, as far as promised."""
        if len(self.threads) < min(len(self.turns), self.concurrency):
            thread = threading.Thread(target=self.work, daemon=True)
            self.threads.append(thread)
            thread.start()

    def work(self) -> None:
        while True:
            turn = self.waiting.get()
            last = _work(self.function, turn)
            del self.turns[turn._run]
            try:
                self.say({**last, "run": turn._run})
            except (TypeError, ValueError):
                traceback.print_exc()
                text = "the agent gave what is not JSON"
                self.say({"type": "failure", "text": text, "run": turn._run})
            except BrokenPipeError:
                return


def _read_and_print(function: Callable[[Turn], Any]) -> int:
    """Without a server: read text, print what the agent says."""
    words = " ".join(sys.argv[1:])
    text = words or sys.stdin.read()

    def say(line: Dict[str, Any]) -> None:
        if line["type"] in ("status", "usage", "log"):
            print(line.get("text", line.get("data", "")), file=sys.stderr, flush=True)
        elif "text" in line:
            print(line["text"], end="", flush=True)
        elif "data" in line or "parts" in line:
            print(json.dumps(line.get("data", line.get("parts"))), flush=True)

    parts = [{"text": text}]
    last = _work(function, Turn({"text": text, "message": {"parts": parts}}, say))
    say(last)
    print(flush=True)
    return 0 if last["type"] in ("complete", "question") else 1


def serve(
    function: Callable[[Turn], Any], *, concurrency: int = 32, unfit: bool = False
) -> None:
    """Serve until the server has no more work, then end the program."""
    if _out is None:
        sys.exit(_read_and_print(function))

    def stop(_signal: int, _frame: Any) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    host = _Host(function, concurrency, unfit, sys.stdin.buffer, _out)
    try:
        host.serve()
    except (SystemExit, KeyboardInterrupt, BrokenPipeError):
        pass
    # Turns get a moment to notice; the server kills what takes longer.
    for turn in list(host.turns.values()):
        for _ in range(20):
            if turn._run not in host.turns:
                break
            threading.Event().wait(0.05)
    sys.stderr.flush()
    # Threads that are still at work must not hold the program up.
    os._exit(0)


def agent(
    function: Optional[Callable[[Turn], Any]] = None,
    *,
    concurrency: int = 32,
    unfit: bool = False,
) -> Union[Callable[[Turn], Any], Callable[[Callable[[Turn], Any]], Callable[[Turn], Any]]]:
    """Make a function an agent, and serve it when its file is run as a program.

    Put it at the end of the file. The function may return or yield text, bytes or data;
    it may be `async`. Up to `concurrency` turns are worked on at once, each in a thread.
    With `unfit`, an answer that does not satisfy the caller's schema comes back once, in a
    turn that has it as `turn.unfit`; without, it fails the task.
    """

    def decorate(function: Callable[[Turn], Any]) -> Callable[[Turn], Any]:
        if function.__module__ == "__main__":
            serve(function, concurrency=concurrency, unfit=unfit)
        return function

    return decorate if function is None else decorate(function)
