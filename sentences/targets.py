"""Connections: cause and cure for every code of drivers, connection tests and the endpoints that portals call.

The database's own words are shown folded below, to the portal's own people only (facts/field 3 items 1 and 4).
"""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

_FULL = _l("The database has no free place for another connection.")
_NOT_PUBLIC = _l("The server is not reachable from the internet, and this application may not enter private networks.")
_LONG_FILTER = _l("The chart's filter is too long.")
_NO_SENSE = _l("The portal's request could not be understood.")
_TELL_SUPPORT = _l("Tell the support of the application, with the reference.")
_ASK_OPERATOR = _l("Ask whoever runs the application.")
_SYNCHRONIZE = _l("Synchronize the table in BI Builder, or publish it again.")
_NEW_DATASET = _l("Bring it back, or delete the dataset and publish the table anew.")
_NARROW = _l("Filter the chart, or set a limit.")
_AGAIN = _l("Try again in a minute.")

SENTENCES: Mapping[str, tuple[LazyString, LazyString]] = {
    # Settings
    "required": (_l("This is needed to connect."), _l("Fill it in.")),
    "not_readable": (_l("This cannot be read."), _l("Copy it once more, in whole.")),
    "no_such_choice": (_l("This is none of the choices."), _l("Choose one from the list.")),
    "no_such_setting": (_l("This kind of connection has no such setting."), _l("Open the form again.")),
    "not_a_number": (_l("This is no whole number."), _l("Enter digits only, for example 5432.")),
    "no_such_zone": (_l("There is no such time zone."), _l("Write it like Europe/Berlin or Asia/Almaty.")),
    "zone_unknown_to_server": (_l("The database does not know this time zone."), _l("Choose UTC or another one.")),
    "too_long": (_l("The settings are too long together."), _l("Shorten the longest one.")),
    "title_missing": (_l("The connection needs a title."), _l("Fill in this field.")),
    "title_length": (_l("A title has at most 255 characters."), _l("Shorten it.")),
    "path_and_url": (_l("This is both a file and an address."), _l("Keep one of them.")),
    "string_unknown": (
        _l("This is no connection string that is known here."),
        _l("It looks like postgresql://user:password@host:5432/database."),
    ),
    # Files
    "local_files_off": (_l("No folder of files is open to the application."), _ASK_OPERATOR),
    "outside_folder": (_l("The file is outside the folder that is open to the application."), _ASK_OPERATOR),
    "not_found": (_l("There is no such file."), _l("Check the path, capital letters included.")),
    "not_a_database": (_l("The file is no SQLite database."), _l("Choose a file that SQLite can open.")),
    "not_a_workbook": (_l("The file is no Excel workbook."), _l("Save it as .xlsx, or choose another kind of file.")),
    "empty_folder": (_l("The folder holds no files that are known here."), _l("Choose another one.")),
    "empty_file": (_l("The file is empty."), _l("Choose another one.")),
    "too_big": (_l("The file is too large."), _l("Split it, or bring it into a database.")),
    "file_structure": (
        _l("A row does not fit the others."),
        _l("Correct the row that is named below, or choose delimiter and header yourself."),
    ),
    "other_kind": (
        _l("Files of this kind are not read here."),
        _l("Save it as CSV, XLSX, Parquet, JSON or JSON lines; only gzip may pack it."),
    ),
    "password_protected": (
        _l("The file is protected with a password."),
        _l("Save it without one."),
    ),
    "too_many_digits": (
        _l("A column has numbers of more digits than can be read exactly."),
        _l("Write them as texts, or with at most 38 digits."),
    ),
    "no_such_row": (_l("The file has no such row."), _l("Count the rows from 1; the row has to hold the names.")),
    "packed_broken": (_l("The packed file is damaged, or its end is missing."), _l("Pack or copy it again.")),
    "file_changed": (_l("The file was changed while it was read, so nothing was sent."), _AGAIN),
    "path_or_url": (_l("A file or an address is needed."), _l("Choose one of them.")),
    "https_only": (
        _l("Files are fetched from encrypted addresses only."),
        _l("Use an address that starts with https://."),
    ),
    "no_file_there": (_l("The address does not give a file."), _l("Open it in a browser window without any login.")),
    "no_such_encoding": (_l("There is no such encoding."), _l("Write it like utf-8 or cp1251, or leave it blank.")),
    "does_not_fit": (
        _l("The file is not written in this encoding, or in none that can be found."),
        _l("Leave it blank, or choose the one in which the file was saved, for example cp1251."),
    ),
    "no_such_sheet": (_l("The workbook has no such sheet."), _l("Check its name, or leave it blank for all sheets.")),
    "value_type": (_l("A value does not fit the type of its column."), _l("Choose string for that column.")),
    "line_not_understood": (
        _l("A line cannot be understood."),
        _l("Write one column a line, for example: article: string"),
    ),
    # Encryption
    "certificate_refused": (
        _l("Nobody who is known here vouches for the server's certificate, as where a server has made its own."),
        _l(
            "Add its certificate authority under the advanced settings, as a file that the hosting offers. Only if "
            "there is none choose “Encrypted, server not verified”: an impostor could then get password and data."
        ),
    ),
    "certificate_name": (
        _l("The server's certificate is for another name than the one in the field “Server”."),
        _l(
            "Enter the name that the certificate has. If it has none that you can use, add its certificate authority "
            "under the advanced settings and choose “Encrypted, certificate verified”."
        ),
    ),
    "certificate_time": (
        _l("The server's certificate has expired, or is not valid yet."),
        _l(
            "Ask for a new one at the server. Until then only “Encrypted, server not verified” works: an impostor "
            "could then get password and data."
        ),
    ),
    "secret_of_other_target": (
        _l("What is stored was typed for another server, user or encryption, so it is not sent to this one."),
        _l("Type it again."),
    ),
    "not_offered": (
        _l("The server offers no encryption."),
        _l("Switch TLS on at the server. Only in a closed network choose “Not encrypted”."),
    ),
    "required_by_server": (_l("The server insists on encryption."), _l("Choose an encrypted connection.")),
    "unsafe_method": (
        _l("The server wants the password in clear text, and nothing proves that it is the right server."),
        _l(
            "Choose “Encrypted, certificate and name verified”. If nobody vouches for its certificate, add its "
            "certificate authority under the advanced settings."
        ),
    ),
    "unknown_method": (
        _l("The server asks for a way of logging in that is not known here."),
        _l("Let this user log in with a password, for example by ed25519 or caching_sha2_password."),
    ),
    # The way there
    "host_grammar": (
        _l("This is no name of a server."),
        _l("Enter the name alone, without https:// and without a path."),
    ),
    "port_grammar": (_l("This is no port."), _l("Enter a number from 1 to 65535.")),
    "local_name": (_NOT_PUBLIC, _l("Give it a public name, or ask whoever runs the application to allow it.")),
    "not_public": (_NOT_PUBLIC, _l("Give it a public address, or ask whoever runs the application to allow it.")),
    "metadata": (_l("This address is never connected to."), _l("Enter the address of your database.")),
    "denied": (_l("Whoever runs the application has closed this address."), _ASK_OPERATOR),
    "port_closed": (_l("This port is not open to connections from here."), _ASK_OPERATOR),
    "plain_http": (_l("The address is not encrypted."), _l("Use an address that starts with https://.")),
    "too_many_addresses": (_l("The name stands for too many addresses."), _l("Enter the address of one server.")),
    "name_not_found": (_l("No server has this name."), _l("Check the spelling.")),
    "name_timeout": (_l("The name could not be looked up in time."), _AGAIN),
    "connect_refused": (_l("Nothing listens at this port."), _l("Check the port, and that the database is running.")),
    "connect_timeout": (
        _l("The server does not answer."),
        _l("Check the address, and that its firewall lets this application in."),
    ),
    "connect_failed": (_l("The server cannot be reached."), _l("Check address and port.")),
    "starting": (_l("The database is just starting or stopping."), _AGAIN),
    # Login
    "password": (
        _l("The server refuses user or password."),
        _l("Type the password anew and check the user's spelling."),
    ),
    "refused": (_l("The server does not let this user in."), _l("Check its rights and from where it may log in.")),
    "database": (_l("There is no such database, or the user may not open it."), _l("Check its name and the rights.")),
    "too_many_connections": (_FULL, _AGAIN),
    "server_too_old": (
        _l("The server is too old."),
        _l("Its version, and the one that is needed, stand in what was reported. Ask for an update."),
    ),
    "readonly_profile": (_l("The user may not change settings of its session."), _l("Ask for a user that may read.")),
    "failed_logins": (
        _l("This user failed to log in there too often, so nobody asks for a while."),
        _l("Check the password and try again in a quarter of an hour."),
    ),
    "failed_connects": (
        _l("Too many connections failed within an hour, so nobody asks for a while."),
        _l("Check the address and try again later."),
    ),
    "new_targets": (
        _l("Too many new servers were asked for within an hour."),
        _l("Try again later, or connect it on the page of connections."),
    ),
    "closed": (
        _l("What this connection logs in with was deleted when the application was removed from the portal."),
        _l("Open the connection and connect it again."),
    ),
    "settings_lost": (
        _l("What this connection needs is lost, with the key that it was encrypted with."),
        _l("Open the connection and type its settings again."),
    ),
    "bad_keys": (_l("Too many wrong keys came from there."), _AGAIN),
    "requests": (
        _l("The portal asked more often than this application answers."),
        _l("Refresh the dashboards less often, or spread them over several connections."),
    ),
    # Queries
    "no_permission": (
        _l("The user may not read this table, or the owner of the view is gone or may not."),
        _l("Grant SELECT on the table, to the owner of a view as well."),
    ),
    "view_broken": (
        _l("The view no longer works: something that it reads is gone, or its own user may not read it."),
        _l("Have it put right in the database."),
    ),
    "unknown_table": (_l("The database has no such table any more."), _SYNCHRONIZE),
    "published_table_gone": (_l("The table that was published under this name is gone."), _NEW_DATASET),
    "published_column_gone": (
        _l("The column that was published under this name is gone."),
        _l("Bring it back, accept the table as it is today, or delete the dataset and publish the table anew."),
    ),
    "type_changed": (
        _l("The column holds values of another type than when it was published."),
        _l(
            "Give the column its former type again, accept the table as it is today, "
            "or delete the dataset and publish the table anew."
        ),
    ),
    "value_unfit": (
        _l("A value is not of the type that was chosen for its column, so nothing was sent."),
        _l("Correct it in the source, or publish the table anew and let such values be empty."),
    ),
    "unknown_column": (_l("The table has no such column any more."), _SYNCHRONIZE),
    "ambiguous_name": (_l("Several tables or columns have this name."), _SYNCHRONIZE),
    "filter_too_deep": (_LONG_FILTER, _l("Simplify it.")),
    "filter_too_long": (_LONG_FILTER, _l("Simplify it.")),
    "bytes": (_l("The answer is too large, so nothing was sent."), _NARROW),
    "rows": (_l("The answer has too many rows, so nothing was sent."), _NARROW),
    "row_bytes": (_l("A single row is too large."), _l("Leave out its longest column.")),
    "columns": (_l("The table has too many columns."), _l("Choose fewer of them.")),
    "portal_room": (_l("Too many large answers were on their way at once."), _NARROW),
    "disk": (
        _l("The disk of the application is full, so nothing was kept of this."),
        _l("Try again later, and tell whoever runs the application."),
    ),
    "preview_too_long": (
        _l("The file could not be looked at within 20 seconds."),
        _l("Try again in a moment; bring a table of very many columns, or very large data, into a database."),
    ),
    "deadline": (_l("The database took too long, so it was stopped."), _l("Filter the chart, or add an index.")),
    "silent": (
        _l("The database said nothing more for a while, so it was given up."),
        _l("Look whether the server, or a firewall on the way to it, hangs, and try again."),
    ),
    "cancelled": (_l("The query was stopped."), _AGAIN),
    "connection_lost": (_l("The connection broke off."), _AGAIN),
    "server_error": (_l("The database reported an error."), _l("Its own words are below.")),
    "bad_answer": (_l("What answers there is no such database."), _l("Check the kind of database and the port.")),
    # Calls of the portal
    "filter": (_l("The chart's filter could not be understood."), _l("Set the filter anew.")),
    "operator": (_l("The chart's filter has an operator that is unknown here."), _l("Set the filter anew.")),
    "value": (_l("A value of the filter does not fit its column."), _l("Set the filter anew.")),
    "date": (_l("A date of the filter could not be read."), _l("Set the filter anew.")),
    "date_order": (
        _l("A date of the filter can be read in two ways."),
        _l("Write day and month so that they cannot be mixed up."),
    ),
    "empty_group": (_l("The chart's filter has an empty group."), _l("Set the filter anew.")),
    "busy": (_l("Too many queries were waiting."), _AGAIN),
    "own_database": (_l("The application's own database did not answer."), _AGAIN),
    "not_taken": (
        _l("Bitrix24 did not take the whole answer."),
        _l("Filter the chart, or ask whoever runs the application how fast its connection to Bitrix24 is."),
    ),
    "caller_gone": (
        _l("Bitrix24 hung up before the answer was ready, so the query was stopped."),
        _l("Filter the chart, or add an index."),
    ),
    "body_cut": (_l("The portal's request did not arrive as a whole."), _AGAIN),
    "key": (_l("The source has a key that opens nothing."), _l("Open the connection and restore its source.")),
    **dict.fromkeys(
        (
            *("body_too_big", "body_too_deep", "too_many_keys", "content_type", "encoding", "form", "json"),
            *("duplicate_key", "parameter", "missing_table"),
        ),
        (_NO_SENSE, _TELL_SUPPORT),
    ),
    "internal": (_l("Something broke in the application."), _TELL_SUPPORT),
}
