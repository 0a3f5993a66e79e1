"""Frozen values for what is loaded at each run: as ``dataclass`` makes them, without its costs.

``dataclasses`` loads ``inspect`` and compiles methods: some 10 ms, a fifth of what a run may cost.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")

    @dataclass_transform(frozen_default=True, kw_only_default=True, order_default=True)
    def value(cls: type[T]) -> type[T]:
        """As below, for those who check types."""

else:

    def value(cls: type) -> type:
        """``@dataclass(frozen=True, slots=True, kw_only=True, order=True)``.

        Values of one class are equal, and in order, by their fields; they are hashed by them, too.
        """
        names = tuple(cls.__annotations__)
        body = {k: v for k, v in cls.__dict__.items() if k not in ("__dict__", "__weakref__")}
        defaults = {name: body.pop(name) for name in names if name in body}
        made = {"__slots__": names, "__match_args__": (), **_methods(names, defaults)}
        return type(cls)(cls.__name__, cls.__bases__, made | body)


def changed(of: T, **fields: Any) -> T:
    """The same value with other ``fields``, as ``dataclasses.replace`` gives it."""
    names = type(of).__slots__  # type: ignore[attr-defined]
    return type(of)(**{name: getattr(of, name) for name in names} | fields)


def _methods(names: tuple[str, ...], defaults: dict[str, Any]) -> dict[str, Callable[..., Any]]:
    put = object.__setattr__

    def fields(self: Any) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in names)

    def init(self: Any, **given: Any) -> None:
        if len(given) < len(names):
            given = defaults | given
        for name in names:
            try:
                put(self, name, given.pop(name))
            except KeyError:
                raise TypeError(f"{type(self).__name__} wants {name}") from None
        if given:
            raise TypeError(f"{type(self).__name__} has no {', '.join(given)}")

    def refuse(self: Any, name: str, *_: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name}")

    def equal(self: Any, other: object) -> Any:
        return fields(self) == fields(other) if type(other) is type(self) else NotImplemented

    def less(self: Any, other: object) -> Any:
        return fields(self) < fields(other) if type(other) is type(self) else NotImplemented

    def shown(self: Any) -> str:
        told = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({told})"

    return {
        "__init__": init,
        "__setattr__": refuse,
        "__delattr__": refuse,
        "__eq__": equal,
        "__lt__": less,
        "__hash__": lambda self: hash(fields(self)),
        "__repr__": shown,
    }
