"""Opens a store, links an account, sends a text and reads how it ended.

python send_text.py STORE TO TEXT [URL ROOT_KEY]

URL and ROOT_KEY (64 hex digits) name another server than WhatsApp's, as tests do.
"""

import asyncio
import sys
from collections.abc import Callable

import sendpath


def say(line: str) -> None:
    print(line, flush=True)


async def send_text(
    account: sendpath.Account, to: str, text: str, show: Callable[[str], None] = say
) -> None:
    account.connect()
    async for event in account.events():
        match event:
            case sendpath.PairQr():
                show(f"scan: {event.text}")
            case sendpath.Paired():
                show(f"linked: {event.jid}")
            case sendpath.Disconnected():
                show(f"disconnected: {event.reason}")
            case sendpath.PairFailed() | sendpath.LoggedOut():
                show(f"not linked: {event.reason}")
                return
            case sendpath.Connected():
                break
    try:
        accepted = await account.send_text(to, text)
        show(f"accepted: {accepted.id}")
    except sendpath.Refused as refusal:
        show(f"refused: {refusal.cause}; next: {refusal.next}; until: {refusal.until}")
        show(refusal.advice)
    except sendpath.OutcomeUnknown as unknown:
        show(f"no answer; still trying: {unknown.still_trying}")


async def main(
    store: str, to: str, text: str, url: str | None = None, root_key: str | None = None
) -> None:
    async with await sendpath.Engine.open(store) as engine:
        account = await engine.account(
            "main",
            server_url=url,
            server_root_key=None if root_key is None else bytes.fromhex(root_key),
        )
        await send_text(account, to, text)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
