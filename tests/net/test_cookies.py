from __future__ import annotations

from ringback.net.cookies import Cookies


async def test_each_host_gets_its_own() -> None:
    cookies = Cookies()
    assert cookies.header("http://a.example/") == ""
    cookies.store("http://a.example/x", ["session=1; Path=/", "note=hello", "bad\x00=1"])
    cookies.store("http://127.0.0.1:5000/", ["local=2"])
    assert cookies.header("http://a.example/x") == "session=1; note=hello"
    assert cookies.header("http://b.example/") == ""
    assert cookies.header("http://127.0.0.1:6000/") == "local=2"


async def test_paths_security_and_removal() -> None:
    cookies = Cookies()
    cookies.store("https://a.example/", ["s=1; Secure; Path=/", "p=2; Path=/deep"])
    assert cookies.header("http://a.example/") == ""
    assert cookies.header("https://a.example/deep/x") in ("s=1; p=2", "p=2; s=1")
    cookies.store("https://a.example/", ["s=; Max-Age=0; Path=/"])
    assert cookies.header("https://a.example/") == ""


async def test_the_jar_is_bounded() -> None:
    cookies = Cookies()
    cookies.store("http://a.example/", [f"c{number}=1" for number in range(200)])
    cookies.store("http://a.example/", ["long=" + "x" * 5000])
    assert cookies.header("http://a.example/").count("=") == 50
