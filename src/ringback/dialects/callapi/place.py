"""The document being read, as the place that its relative URLs start from."""

from __future__ import annotations

import msgspec

from ringback.calls.verbs import Hook
from ringback.net.guard import same_origin
from ringback.net.url import BadUrl, resolve, target


class Place(msgspec.Struct, frozen=True):
    """Where a document came from: its URL, with the query that was asked for, and its credentials."""

    hook: Hook

    def url(self, reference: str) -> str:
        """A reference in the document, absolute.

        Raises:
            BadUrl: it is none for http or https.
        """
        try:
            url = resolve(self.hook.url, reference)
        except ValueError as problem:  # brackets that are no IPv6 address
            raise BadUrl(f"{reference!r} is not a URL: {problem}") from None
        target(url)
        return url

    def ask(self, reference: str, method: str) -> Hook:
        """Where to ask next; an empty reference is the document itself. Credentials stay on their origin.

        Raises:
            BadUrl: as `url`.
        """
        url = self.url(reference) if reference else self.hook.url
        if self.hook.username is None or not same_origin(url, self.hook.url):
            return Hook(url=url, method=method)
        return Hook(url=url, method=method, username=self.hook.username, password=self.hook.password)


def arrived(hook: Hook, url: str) -> Place:
    """The place of a document asked for at `hook` that `url` answered in the end (after redirects)."""
    if _bare(hook.url) == _bare(url):
        return Place(hook)  # the query has gone into the form, and the credentials into a header
    if same_origin(hook.url, url):
        return Place(msgspec.structs.replace(hook, url=url))
    return Place(Hook(url=url, method=hook.method))


def _bare(url: str) -> str:
    try:
        return target(url).url.partition("?")[0]
    except BadUrl:
        return url
