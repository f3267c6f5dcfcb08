"""LS205: a function with a `Depends` default is called by hand, and that argument is left out."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from lint_sessions.project.calls import omits, run_by
from lint_sessions.project.names import mentions, parameters, walk
from lint_sessions.project.scopes import Scope
from lint_sessions.project.types import External, InstanceType, SessionType
from lint_sessions.rule import Rule, TraceStep

_TESTS = frozenset(["isinstance", "hasattr", "getattr", "type", "callable", "issubclass"])


class DependsOutsideDi(Rule):
    """Function with a `Depends` default is called by hand, without that argument.

    ## What it does
    Finds calls of a function or class of the project that leave out a parameter whose default is `Depends(...)` and
    which would have been a session.

    ## Why is this bad?
    Only FastAPI replaces the default by what the dependency gives. In a call by hand it stays what it is: the first use
    of the session ends in an AttributeError, "'Depends' object has no attribute 'execute'".

    ## Example
    ```python
    def count_users(db: Session = Depends(get_db)):
        return db.scalar(select(func.count()).select_from(User))


    @app.get("/report")
    def report():
        return {"users": count_users()}
    ```

    ## Use instead
    ```python
    def count_users(db: Session = Depends(get_db)):
        return db.scalar(select(func.count()).select_from(User))


    @app.get("/report")
    def report(db: Session = Depends(get_db)):
        return {"users": count_users(db)}
    ```

    ## What it leaves alone
    Calls that pass the argument, or pass `*args` or `**kwargs`; functions and classes that FastAPI calls; a parameter
    that the function never uses, sets first, or looks at with `isinstance`; functions with a decorator that is no
    route's, since it may inject.

    ## Fix safety
    There is no fix: where the caller's session comes from is for the author to say.
    """

    code = "LS205"
    message = "`{call}` leaves out `{parameter}`, which is then a `Depends` object and no session"
    gates = (rb"\w\s*\(",)

    def visit_Call(self, node: cst.Call) -> None:
        callee = self.context.types.infer(node.func, self.context.scope)
        for function in run_by(self.context.types, callee):
            for param in self._injected(function):
                if omits(node, callee, function, param.name.value):
                    self.report(
                        node,
                        trace=[TraceStep(param.name, "only the framework fills this in", function.block)],
                        call=self.context.short(node),
                        parameter=param.name.value,
                    )

    def _injected(self, function: Scope) -> Iterator[cst.Param]:
        """The parameters that a function uses as a session, and that only the framework makes one."""
        node, around = function.function, function.parent
        if node is None or around is None or self._may_inject(node, around):
            return
        for param in parameters(node):
            if self._is_session(param, around) and _is_used(node, param.name.value):
                yield param

    def _is_session(self, param: cst.Param, scope: Scope) -> bool:
        """Whether the framework passes a session for a parameter, by its provider or its annotation."""
        if param.default is None or not self._is_marker(param.default, scope):
            return False
        if isinstance(self.context.types.provided(param.default, scope), SessionType):
            return True
        declared = param.annotation.annotation if param.annotation is not None else None
        return declared is not None and isinstance(self.context.types.annotation(declared, scope), SessionType)

    def _is_marker(self, default: cst.BaseExpression, scope: Scope) -> bool:
        """Whether a default is `Depends(...)`, or a name that stands for one."""
        made = self.context.types.infer(default, scope)
        if isinstance(made, InstanceType) and isinstance(made.cls, External):
            return self.context.types.is_marker(made.cls)
        return self.context.wiring.marker(default, scope) is not None

    def _may_inject(self, node: cst.FunctionDef, around: Scope) -> bool:
        """Whether a decorator of a function or of its class may fill in what a call leaves out."""
        if around.is_class and around.header is not None and around.header.decorators:
            return True
        return any(
            not _is_plain(d.decorator) and not self.context.wiring.is_route_decorator(d.decorator, around)
            for d in node.decorators
        )


def _is_plain(decorator: cst.BaseExpression) -> bool:
    return isinstance(decorator, cst.Name) and decorator.value in ("staticmethod", "classmethod")


def _is_used(node: cst.FunctionDef, name: str) -> bool:
    """Whether the body does something with a parameter before it sets or tests it."""
    for part in walk(node.body):
        match part:
            case cst.Call(func=cst.Name(value=test), args=[cst.Arg(value=cst.Name(value=tested)), *_]):
                if tested == name and test in _TESTS:
                    return False
            case cst.AssignTarget(target=target) | cst.AsName(name=target):
                if name in _names(target):
                    return False
            case cst.AnnAssign(target=target, value=cst.BaseExpression() as value) if name in _names(target):
                return mentions(value, name)
            case cst.For(target=target, iter=value) if name in _names(target):
                return mentions(value, name)
            case cst.Name(value=used) if used == name:
                return True
    return False


def _names(target: cst.CSTNode) -> list[str]:
    """The names that a target binds."""
    parts = [element.value for element in target.elements] if isinstance(target, (cst.Tuple, cst.List)) else [target]
    return [part.value for part in parts if isinstance(part, cst.Name)]
