"""The module as the server sees it: a program at the other end of two pipes."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest

#: After these a run goes on.
MORE = ("status", "chunk", "artifact", "data", "log", "usage")
SOURCE = pathlib.Path(__file__).resolve().parent.parent / "src"


class Program:
    """A file with an agent, at work."""

    def __init__(self, body, served=True, arguments=(), stdin=subprocess.PIPE):
        self.directory = tempfile.TemporaryDirectory()
        path = pathlib.Path(self.directory.name) / "my_agent.py"
        path.write_text("from legation_agent import agent\n" + textwrap.dedent(body))
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        environment.pop("LEGATION_PROTOCOL", None)
        if served:
            environment["LEGATION_PROTOCOL"] = "1"
        self.process = subprocess.Popen(
            [sys.executable, str(path), *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.directory.cleanup()

    def tell(self, **line):
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def message(self, run, text="", **more):
        message = {"role": "ROLE_USER", "parts": [{"text": text}]}
        self.tell(**{"type": "message", "run": run, "text": text, "message": message, **more})

    def hear(self):
        return json.loads(self.process.stdout.readline())

    def hear_all(self):
        """The lines up to the last one of a run."""
        lines = []
        while not lines or lines[-1]["type"] in MORE:
            lines.append(self.hear())
        return lines


class Serving(unittest.TestCase):
    def check(self, body, text, expected, **more):
        with Program(body) as program:
            self.assertEqual(program.hear()["type"], "ready")
            program.message(7, text, **more)
            lines = program.hear_all()
            for line in lines:
                self.assertEqual(line.pop("run"), 7)
            self.assertEqual(lines, expected)

    def test_what_is_returned_is_the_answer(self):
        cases = [
            ("return turn.text.upper()", {"type": "complete", "text": "HI"}),
            ("return {'n': 1}", {"type": "complete", "data": {"n": 1}}),
            ("return b'hi'", {"type": "complete", "parts": [{"raw": "aGk="}]}),
            ("pass", {"type": "complete"}),
            ("turn.ask('Which?')", {"type": "question", "text": "Which?"}),
            ("turn.authenticate('Sign in')", {"type": "auth", "text": "Sign in"}),
            ("turn.reject('No')", {"type": "reject", "text": "No"}),
            ("turn.fail('No paper')", {"type": "failure", "text": "No paper"}),
            ("return float('nan')", {"type": "failure", "text": "the agent gave what is not JSON"}),
            ("return 1 / 0", {"type": "failure", "text": "the agent failed with ZeroDivisionError"}),
            ("raise SystemExit(3)", {"type": "failure", "text": "the agent failed with SystemExit"}),
            (
                "import asyncio; raise asyncio.CancelledError",
                {"type": "failure", "text": "the agent failed with CancelledError"},
            ),
            ("return '\\ud800'", {"type": "complete", "text": "?"}),
        ]
        for body, expected in cases:
            with self.subTest(body):
                self.check(f"@agent\ndef run(turn):\n    {body}\n", "hi", [expected])

    def test_what_is_yielded_streams(self):
        body = """
            @agent
            def run(turn):
                turn.status("thinking")
                yield "a"
                yield {"n": 1}
                turn.artifact(b"hi", name="f", filename="hi.txt", id="x")
                turn.usage(tokens=3)
                turn.log("done")
                return "end"
        """
        part = {"raw": "aGk=", "filename": "hi.txt"}
        expected = [
            {"type": "status", "text": "thinking"},
            {"type": "chunk", "text": "a"},
            {"type": "data", "data": {"n": 1}},
            {"type": "artifact", "parts": [part], "artifact": "x", "name": "f"},
            {"type": "usage", "data": {"tokens": 3}},
            {"type": "log", "text": "done"},
            {"type": "complete", "text": "end"},
        ]
        self.check(body, "hi", expected)

    def test_functions_may_be_async(self):
        body = """
            @agent
            async def run(turn):
                return turn.text
        """
        self.check(body, "hi", [{"type": "complete", "text": "hi"}])
        body = """
            @agent
            async def run(turn):
                yield turn.text
        """
        self.check(body, "hi", [{"type": "chunk", "text": "hi"}, {"type": "complete"}])

    def test_a_turn_tells_what_was_said(self):
        body = """
            @agent
            def run(turn):
                file, = turn.files
                return [turn.said, turn.inputs, file.name, file.data.decode(), turn.attempt]
        """
        parts = [{"text": "two"}, {"data": {"n": 1}}, {"raw": "aGk=", "filename": "f"}]
        earlier = [
            {"role": "ROLE_USER", "taskId": "another", "parts": [{"text": "before"}]},
            {"role": "ROLE_USER", "taskId": "t", "parts": [{"text": "one"}]},
            {"role": "ROLE_AGENT", "parts": [{"text": "Which?"}]},
        ]
        expected = [["one", "two"], [{"n": 1}], "f", "hi", 2]
        self.check(
            body,
            "two",
            [{"type": "complete", "data": expected}],
            message={"parts": parts},
            history=earlier,
            attempt=2,
            task="t",
        )

    def test_a_turn_tells_who_calls_and_with_what(self):
        body = """
            @agent
            def run(turn):
                return [turn.caller["subject"], turn.credentials.get("x-key"), turn.unfit]
        """
        told = {"caller": {"tenant": "t", "subject": "ann"}, "credentials": {"x-key": "k"}}
        self.check(body, "", [{"type": "complete", "data": ["ann", "k", None]}], **told)
        self.check(body, "", [{"type": "complete", "data": ["ann", None, None]}],
                   caller={"subject": "ann"})

    def test_an_authorization_comes_back_with_the_message(self):
        body = """
            @agent
            def run(turn):
                if turn.granted is None:
                    turn.authenticate("May I?", url="https://idp/a", keep={"verifier": "v"})
                return [turn.granted["parameters"]["code"], turn.granted["kept"]["verifier"]]
        """
        asked = {"type": "auth", "text": "May I?", "url": "https://idp/a", "keep": {"verifier": "v"}}
        self.check(body, "", [asked])
        told = {"redirectUri": "http://here", "parameters": {"code": "c"}, "kept": {"verifier": "v"}}
        self.check(body, "", [{"type": "complete", "data": ["c", "v"]}], granted=told)

    def test_an_answer_that_does_not_do_may_come_back(self):
        body = """
            @agent(unfit=True)
            def run(turn):
                return turn.unfit["reason"] if turn.unfit else "first"
        """
        with Program(body) as program:
            self.assertIs(program.hear()["unfit"], True)
            program.message(1)
            self.assertEqual(program.hear()["text"], "first")
            program.message(2, unfit={"reason": "no number", "answer": [{"text": "first"}]})
            self.assertEqual(program.hear()["text"], "no number")

    def test_prints_do_not_break_the_protocol(self):
        body = """
            import os
            print("loading")
            os.system("echo from a child")
            @agent
            def run(turn):
                print("working")
                return "done"
        """
        self.check(body, "", [{"type": "complete", "text": "done"}])

    def test_turns_run_side_by_side(self):
        body = """
            import threading
            both = threading.Barrier(2)
            @agent
            def run(turn):
                both.wait(10)
                return turn.text
        """
        with Program(body) as program:
            program.hear()
            for _ in range(3):
                program.message(1, "a")
                program.message(2, "b")
                said = {line["run"]: line["text"] for line in (program.hear(), program.hear())}
                self.assertEqual(said, {1: "a", 2: "b"})

    def test_no_more_turns_at_once_than_were_promised(self):
        body = """
            import threading
            places = threading.Semaphore(2)
            @agent(concurrency=2)
            def run(turn):
                if not places.acquire(blocking=False):
                    return "too many"
                turn.sleep(0.05)
                places.release()
                return "fine"
        """
        with Program(body) as program:
            self.assertEqual(program.hear()["concurrency"], 2)
            for run in range(10):
                program.message(run)
            self.assertEqual({program.hear()["text"] for _ in range(10)}, {"fine"})

    def test_a_cancelled_turn_stops(self):
        body = """
            @agent
            def run(turn):
                if turn.text == "busy":
                    while True:
                        yield "more"
                turn.status("begun")
                turn.sleep(60)
        """
        with Program(body) as program:
            program.hear()
            for text in ("wait", "busy"):
                program.message(1, text)
                program.hear()
                program.tell(type="cancel", run=1)
                last = program.hear_all()[-1]
                self.assertEqual(last["text"], "the work was cancelled")

    def test_more_may_be_said_while_a_turn_is_at_work(self):
        body = """
            @agent
            def run(turn):
                assert turn.further() is None
                turn.status("begun")
                return turn.further(60)
        """
        with Program(body) as program:
            program.hear()
            program.message(1)
            program.hear()
            program.tell(type="further", run=1, text="more")
            self.assertEqual(program.hear()["text"], "more")

    def test_the_program_ends_with_its_server(self):
        body = """
            import time
            @agent
            def run(turn):
                turn.status("begun")
                time.sleep(60)
        """
        for end in ("close", "terminate"):
            with self.subTest(end), Program(body) as program:
                program.hear()
                program.message(1)
                program.hear()
                if end == "close":
                    program.process.stdin.close()
                else:
                    program.process.terminate()
                self.assertEqual(program.process.wait(10), 0)
                program.process.stdin.close()
                program.process.stdin = None


class ByHand(unittest.TestCase):
    def test_it_reads_text_and_prints_text(self):
        body = """
            @agent
            def run(turn):
                yield "You said "
                yield turn.text
        """
        with Program(body, served=False) as program:
            self.assertEqual(program.process.communicate("hi")[0], "You said hi\n")
        with Program(body, served=False, arguments=("a", "b")) as program:
            self.assertEqual(program.process.communicate("")[0], "You said a b\n")

    def test_a_failure_is_one(self):
        body = """
            @agent
            def run(turn):
                turn.fail("no paper")
        """
        with Program(body, served=False) as program:
            self.assertEqual(program.process.communicate("")[0], "no paper\n")
            self.assertEqual(program.process.returncode, 1)


if __name__ == "__main__":
    unittest.main()
