"""Bindings in the store, so that a client can be called right after a restart."""

from __future__ import annotations

import logging

import msgspec

from ringback.routing.registrar import Binding
from ringback.store import Store, StoredObject, StoreUnavailable

_log = logging.getLogger(__name__)
_KIND = "binding"


class StoredBindings:
    """`BindingStore` over the store's objects. A binding that cannot be stored is registered all the same."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> list[Binding]:
        """Every binding that was kept; one that cannot be read any more is left out."""
        found: list[Binding] = []
        for item in await self._store.list_objects(_KIND):
            try:
                found.append(msgspec.convert(item.data, Binding))
            except msgspec.ValidationError as error:
                _log.warning("a stored binding of %s is ignored: %s", item.name, error)
        return found

    def keep(self, binding: Binding) -> None:
        """Store one, over that of the same client and contact."""
        value = StoredObject(
            kind=_KIND,
            id=_key(binding),
            name=binding.username,
            data=msgspec.to_builtins(binding),
            created_at=binding.registered_at,
        )
        try:
            self._store.put_object(value)
        except StoreUnavailable as error:
            _log.warning("the binding of %s would not survive a restart: %s", binding.username, error)

    def drop(self, binding: Binding) -> None:
        """Forget one."""
        try:
            self._store.delete_object(_KIND, _key(binding))
        except StoreUnavailable as error:
            _log.warning("the binding of %s would come back after a restart: %s", binding.username, error)


def _key(binding: Binding) -> str:
    return f"{binding.username} {binding.contact}"
