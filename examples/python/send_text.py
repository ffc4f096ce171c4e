"""Opens a store, links an account, sends a text and reads how it ended.

python send_text.py STORE TO TEXT
"""

import asyncio
import sys
from collections.abc import Callable

import sendpath


async def send_text(
    account: sendpath.Account, to: str, text: str, show: Callable[[str], None] = print
) -> None:
    account.connect()
    async for event in account.events():
        match event:
            case sendpath.PairQr():
                show(f"scan {event.text}")
            case sendpath.Disconnected():
                show(f"disconnected: {event.reason}")
            case sendpath.Connected():
                break
            case _:
                show(str(event))
    try:
        accepted = await account.send_text(to, text)
        show(f"accepted {accepted.id}")
    except sendpath.Refused as refusal:
        show(f"refused: {refusal.cause}; next: {refusal.next}; until: {refusal.until}")
        show(refusal.advice)
    except sendpath.OutcomeUnknown as unknown:
        show(f"no answer; still trying: {unknown.still_trying}")


async def main(store: str, to: str, text: str) -> None:
    async with await sendpath.Engine.open(store) as engine:
        await send_text(await engine.account("main"), to, text)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
