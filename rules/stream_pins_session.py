"""LS506: a stream that keeps the connection of an injected session for as long as it lives."""

from __future__ import annotations

import libcst as cst

from lint_sessions.flow.origins import described
from lint_sessions.flow.streams import Pinned, Streams
from lint_sessions.project.scripts import is_test
from lint_sessions.rule import Rule, TraceStep


class StreamPinsSession(Rule):
    """Stream keeps a connection to the database for as long as it lives.

    ## What it does
    Finds routes of a WebSocket, and routes that answer with a stream of events, which have a session injected, use it,
    or let a dependency use it, and then wait for the other side with its transaction still open.

    ## Why is this bad?
    FastAPI closes the session of a dependency when the route is done: for a socket when it is closed, for a stream,
    from version 0.118 on, when its last event has been sent. As long as a transaction is open the session keeps its
    connection. Fifteen open browser windows take all connections of a pool of fifteen, and every other request fails
    after the pool's timeout, although the database has nothing to do.

    ## Example
    ```python
    @app.websocket("/chat/{room_id}")
    async def chat(socket: WebSocket, room_id: int, session: AsyncSession = Depends(get_session)):
        room = await session.get(Room, room_id)
        await socket.accept()
        while True:
            text = await socket.receive_text()
            await socket.send_text(text)
    ```

    ## Use instead
    ```python
    @app.websocket("/chat/{room_id}")
    async def chat(socket: WebSocket, room_id: int, session: AsyncSession = Depends(get_session)):
        room = await session.get(Room, room_id)
        await session.close()
        await socket.accept()
        while True:
            text = await socket.receive_text()
            await socket.send_text(text)
    ```

    ## What it leaves alone
    Sessions that the route opens itself, for as long as it needs them; a session whose last use ends the transaction:
    a commit, rollback or close, or the end of a `with` block; an injected session that nothing uses; responses that
    end by themselves; streams whose dependency has `scope="function"`, so that it is closed before they begin.

    ## Fix safety
    There is no fix: where the transaction can end is for the author to say.
    """

    code = "LS506"
    message = "{stream} keeps a connection as long as it is open: nothing ends the transaction of {session}"
    gates = (rb"\bwebsocket(?:_route)?\s*\(|\b(?:StreamingResponse|EventSourceResponse)\s*\(",)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        if self.context.wiring.is_route(scope) and not is_test(self.context.path, self.context.types.project.root):
            for pinned in Streams(self.context.wiring, scope, self.context.fastapi).pinned():
                self._report(pinned)

    def _report(self, pinned: Pinned) -> None:
        use = pinned.use
        stream = "the socket" if pinned.is_socket else "the stream"
        trace = [
            TraceStep(use.node, "the transaction is open from here on", use.block),
            TraceStep(pinned.place, f"{stream} lives here"),
        ]
        self.report(pinned.place, trace=trace, stream=stream, session=described(use.origin))
