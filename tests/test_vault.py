import os
from pathlib import Path
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged

from ..tools import vault

OLD, NEW = "o" * 40, "n" * 40


@tagged("post_install", "-at_install")
class TestVault(TransactionCase):
    def with_key(self, key):
        return patch.dict(os.environ, {vault.KEY_VARIABLE: key})

    def test_opens_only_with_the_same_context(self):
        with self.with_key(OLD):
            token = vault.seal(self.env, "hunter2", ("a", 1))
            self.assertEqual(vault.unseal(self.env, token, ("a", 1)), "hunter2")
            for other in (("a", 2), ("a",), ("a1",), ("a", 1, "")):
                with self.assertRaises(vault.UnsealError):
                    vault.unseal(self.env, token, other)

    def test_key_rotation(self):
        """An old key in second place still opens; alone, the new one does not."""
        with self.with_key(OLD):
            token = vault.seal(self.env, "hunter2", ("a",))
        with self.with_key(f"{NEW},{OLD}"):
            self.assertEqual(vault.unseal(self.env, token, ("a",)), "hunter2")
            renewed = vault.seal(self.env, "hunter2", ("a",))
        with self.with_key(NEW):
            self.assertEqual(vault.unseal(self.env, renewed, ("a",)), "hunter2")
            with self.assertRaises(vault.UnsealError):
                vault.unseal(self.env, token, ("a",))

    def test_few_places_open_what_is_stored(self):
        """Those that SECURITY.md names, under Passwords and Tokens."""
        openers = ("stored_credentials(", "stored_tokens(", "opened_tokens(")
        openers += ("ended_tokens(", "unseal(")
        addon = Path(__file__).parents[1]
        found = {
            str(path.relative_to(addon))
            for folder in ("controllers", "mailkit", "models", "tools", "wizards")
            for path in (addon / folder).rglob("*.py")
            if any(name in path.read_text(encoding="utf-8") for name in openers)
        }
        known = (
            *("connect/test.py", "connect/sign_in.py", "incoming/work.py"),
            *("outgoing/session.py", "oauth2/tokens.py", "oauth2/revocation.py"),
            # what is under way: a sign-in, and the verifier that belongs to it
            *("oauth2/authorization.py", "vault.py"),
        )
        self.assertEqual(found, {f"tools/{name}" for name in known})

    def test_missing_or_short_key_says_what_to_do(self):
        for key, hint in (("", "configuration file"), ("short", "too short")):
            with self.with_key(key), self.assertRaisesRegex(UserError, hint):
                vault.seal(self.env, "hunter2", ("a",))

    def test_fingerprints_need_the_key(self):
        with self.with_key(OLD):
            first = vault.fingerprint(self.env, ("a", "bc"))
            self.assertTrue(
                vault.same_fingerprint(first, vault.fingerprint(self.env, ("a", "bc")))
            )
            self.assertFalse(
                vault.same_fingerprint(first, vault.fingerprint(self.env, ("ab", "c")))
            )
        with self.with_key(NEW):
            self.assertFalse(
                vault.same_fingerprint(first, vault.fingerprint(self.env, ("a", "bc")))
            )
        self.assertFalse(vault.same_fingerprint(False, False))
