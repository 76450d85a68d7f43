"""The mail services that come along, and what an update of the addon does to them.

``data/mail_services.json`` holds the presets as they come: name of the external id ->
values of ``mail.external.provider``, lists being lines. An update brings new values to
fields that nobody changed in this database, and keeps what was changed, archived or
deleted. So what came last is kept beside the presets
(``mail.external.provider.shipped``). Texts are compared language by language.

Plain functions in superuser mode, called when the addon is installed or updated.
"""

import json
from pathlib import Path

from odoo.tools import SQL, file_open, file_path
from odoo.tools.translate import get_base_langs, translation_file_reader

ADDON = "mail_external_account"
MODEL = "mail.external.provider"
_DATA = f"{ADDON}/data/mail_services.json"
# As they came before there was such a record of them: in XML that was loaded once.
FIRST = f"{ADDON}/data/mail_services_first.json"
ENGLISH = "en_US"


def load(env, services=None):
    """Create what is new, and bring new values to what nobody changed.

    :param services: what the data file has; None: read it
    """
    rows = {row.xmlid: row for row in env[f"{MODEL}.shipped"].search([])}
    services = services or read()
    texts = _translations(env, services)
    before = {} if rows else _before(env)
    for name, values in services.items():
        new = _snapshot(env, values, texts.get(name, {}))
        last = rows[name].shipped if name in rows else before.get(name)
        preset = env.ref(f"{ADDON}.{name}", raise_if_not_found=False)
        if preset:
            # without a record of it: whoever made it, all of it counts as changed
            _update(preset, last or {}, new)
        elif last is None:
            _create(env, name, new)
        if name in rows:
            rows[name].shipped = new
        else:
            env[f"{MODEL}.shipped"].create({"xmlid": name, "shipped": new})


def shipped(preset):
    """What came last of a preset: dict of field -> value; empty: it did not come."""
    # sudo: nobody has access to the record of it
    env = preset.sudo().env
    found = env["ir.model.data"].search(
        [("module", "=", ADDON), ("model", "=", MODEL), ("res_id", "=", preset.id)]
    )
    rows = env[f"{MODEL}.shipped"].search([("xmlid", "in", found.mapped("name"))])
    return _plain_values(env, rows[:1].shipped or {})


def read(path=_DATA):
    """:return: dict of external id's name -> values, as they stand in the file"""
    with file_open(path) as file:
        return json.load(file)


def _before(env):
    """What came to a database from before there was a record of it."""
    addon = env["ir.module.module"].search([("name", "=", ADDON)])
    if addon.state == "to install":
        return {}
    return {
        name: _snapshot(env, values, values.pop("translations", {}))
        for name, values in read(FIRST).items()
    }


def _fields(env):
    """Fields that the data may fill: dict of name -> Field."""
    names = (
        *("name", "sequence", "active", "domains", "mx_patterns", "alternates"),
        *("smtp_host", "smtp_port", "smtp_security", "imap_host", "imap_port"),
        *("imap_security", "pop3_host", "pop3_port", "pop3_security"),
        *("login_format", "incoming_login_format", "app_password", "oauth_kind"),
        *("password_works", "password_reads", "password_ends", "note", "help_url"),
        *("app_password_steps", "access_steps", "admin_steps", "saves_sent"),
        *("limit_minute", "limit_hour", "limit_day"),
    )
    return {name: env[MODEL]._fields[name] for name in names}


def _snapshot(env, values, translations):
    """What came, complete and comparable.

    :param values: of the data file
    :param translations: dict of field -> dict of language -> text
    :return: dict of field -> value; of a translated one a dict of language -> text,
        where languages are named as the files of ``i18n`` are
    """
    known = _fields(env)
    if unknown := set(values) - set(known):
        raise ValueError(f"{_DATA}: no such fields: {', '.join(sorted(unknown))}")
    found = {}
    for name, field in known.items():
        value = values.get(name, _default(env, field))
        if isinstance(value, list):
            value = "\n".join(value)
        if field.translate:
            value = {ENGLISH: value, **translations.get(name, {})} if value else {}
        found[name] = value
    return found


def _default(env, field):
    value = field.default(env[MODEL]) if field.default else False
    return value or (0 if field.type == "integer" else False)


def _translations(env, services):
    """The texts of ``i18n``, as Odoo loads them after this: dict of external id ->
    field -> language -> text."""
    found = {}
    for path in sorted(Path(file_path(f"{ADDON}/i18n")).glob("*.po")):
        with file_open(str(path), "rb") as file:
            for row in translation_file_reader(file):
                name, field = row.get("imd_name"), row["name"].partition(",")[2]
                if row.get("imd_model") != MODEL or name not in services:
                    continue
                if row["value"]:
                    texts = found.setdefault(name, {}).setdefault(field, {})
                    texts[path.stem] = row["value"]
    return found


def _plain_values(env, snapshot):
    """Without the translated ones, as fields have them."""
    known = _fields(env)
    return {
        name: value
        for name, value in snapshot.items()
        if name in known and not known[name].translate
    }


def _create(env, name, new):
    values = _plain_values(env, new)
    values.update({n: v.get(ENGLISH) for n, v in new.items() if isinstance(v, dict)})
    preset = env[MODEL].create(values)
    env["ir.model.data"]._update_xmlids(
        [{"xml_id": f"{ADDON}.{name}", "record": preset, "noupdate": True}]
    )


def _update(preset, last, new):
    """Fields that are as they came last get their new values.

    :param last: what came last; none: somebody else made this preset
    """
    env = preset.env
    unproven = preset._unproven()
    plain = _plain_values(env, new)
    if last:
        # a field that is new in this version came with its default, so to say
        came = {n: last.get(n, _default(env, preset._fields[n])) for n in plain}
        found = preset._plain(plain)
        values = {
            name: value
            for name, value in plain.items()
            if found[name] == (came[name] or False) and came[name] != value
        }
        preset.write(values)
        for name, field in _fields(env).items():
            if field.translate:
                _update_texts(preset, field, last.get(name) or {}, new[name])
    now = preset._plain(unproven)
    preset._set_unproven(
        {name for name in unproven if now[name] != (plain.get(name) or False)}
    )


def _update_texts(preset, field, last, new):
    """Each language of a text by itself: the English may be as it came, and the
    Ukrainian a text of the administrator's."""
    env = preset.env
    preset.flush_recordset([field.name])
    found = field._get_stored_translations(preset) or {}
    is_as_came = (found.get(ENGLISH) or "") == (last.get(ENGLISH) or "")
    languages = {code for code, _name in env["res.lang"].get_installed()}
    texts = dict(found)
    for language in {ENGLISH, *found, *languages}:
        text = found.get(language) or ""
        # Without a text of its own it has the English; Odoo fills it in, too.
        if language != ENGLISH and not text:
            theirs = not is_as_came
        else:
            theirs = text != _in_language(last, language)
        if theirs:
            continue
        texts[language] = _in_language(new, language)
    texts = {language: text for language, text in texts.items() if text}
    if texts == found or (texts and ENGLISH not in texts):
        return
    # One language by itself cannot be taken away by a write.
    env.cr.execute(
        SQL(
            "UPDATE mail_external_provider SET %s = %s::jsonb WHERE id = %s",
            SQL.identifier(field.name),
            json.dumps(texts) if texts else None,
            preset.id,
        )
    )
    preset.invalidate_recordset([field.name])


def _in_language(texts, language):
    """A text in a language, as Odoo takes it from the files of ``i18n``."""
    if language == ENGLISH:
        return texts.get(ENGLISH) or ""
    for name in reversed(get_base_langs(language)):
        if texts.get(name):
            return texts[name]
    return ""
