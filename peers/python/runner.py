"""How the clients here run their checks and tell what came of each.

A check is a function that raises where something is not as it should be. Every one prints
`pass NAME` or `fail NAME: reason`, whatever became of those before it.
"""

import asyncio


# Seconds a check may take; the slowest thing the scripted agent does takes none of them.
CHECK_LIMIT = 20


def equal(what, got, wanted):
    if got != wanted:
        raise AssertionError(f'{what} {got!r}, not {wanted!r}')


async def collect(events):
    return [event async for event in events]


def passes(name, check, *arguments):
    """Runs a check; returns whether it passed."""
    try:
        check(*arguments)
    # Whatever a check raises, the ones after it still have something to say.
    except Exception as error:
        reason = ' '.join(str(error).split()) or 'no reason'
        print(f'fail {name}: {type(error).__name__}: {reason}', flush=True)
        return False
    print(f'pass {name}', flush=True)
    return True


async def all_pass(checks, peers):
    """Runs the checks with every peer, which has a `binding`; returns whether all passed."""
    results = []
    for peer in peers:
        for check in checks:
            name = f'{peer.binding} {check.__name__.strip("_")}'
            limited = asyncio.wait_for(check(peer), CHECK_LIMIT)
            [outcome] = await asyncio.gather(limited, return_exceptions=True)
            results.append(passes(name, unless_failed, outcome))
    return all(results)


def unless_failed(outcome):
    if isinstance(outcome, Exception):
        raise outcome
