"""Reading words one by one: what every parser of nft's language shares.

Rules. An error names the word that was not expected, as bison does, and what was expected where that is short.
"""

from __future__ import annotations

from engine.linux.nft.lexer import NftError, Span, Token, span


class Reader:
    """A list of tokens and a place in it."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0

    @property
    def token(self) -> Token:
        try:
            return self.tokens[self.at]
        except IndexError:
            return self.tokens[-1]

    def peek(self, ahead: int = 1) -> Token:
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    @property
    def last(self) -> Token:
        return self.tokens[max(self.at - 1, 0)]

    def take(self) -> Token:
        token = self.token
        self.at += 1
        return token

    def unexpected(self, expecting: str = "") -> NftError:
        token = self.token
        message = f"syntax error, unexpected {token.name()}" + (
            f", expecting {expecting}" if expecting else ""
        )
        return NftError(message, span(token), phase="syntax")

    def is_word(self, *words: str) -> bool:
        return self.token.kind == "string" and self.token.text in words

    def is_sign(self, *signs: str) -> bool:
        return self.token.kind in signs

    def word(self, *words: str) -> bool:
        """Take one of these words if it stands here."""
        if self.is_word(*words):
            self.at += 1
            return True
        return False

    def sign(self, *signs: str) -> bool:
        if self.is_sign(*signs):
            self.at += 1
            return True
        return False

    def need_word(self, *words: str) -> Token:
        if not self.is_word(*words):
            raise self.unexpected(" or ".join(words) if len(words) < 4 else "")
        return self.take()

    def need_sign(self, sign: str) -> Token:
        if not self.is_sign(sign):
            names = {":": "colon", ",": "comma", ";": "semicolon"}
            raise self.unexpected(names.get(sign, f"'{sign}'" if sign in "{}()." else sign))
        return self.take()

    def string(self, *, quoted: bool = False) -> Token:
        """A word that is no sign and no number."""
        if self.token.kind != "string" and not (quoted and self.token.kind == "quoted string"):
            raise self.unexpected("string")
        return self.take()

    def number(self) -> int:
        if self.token.kind != "number":
            raise self.unexpected("number")
        return int(self.take().text, 0)

    def since(self, start: int) -> Span:
        """What was taken from token `start` on."""
        return span(self.tokens[start]).to(span(self.last))

    def skip_newlines(self) -> None:
        while self.is_sign("newline", ";"):
            self.at += 1
