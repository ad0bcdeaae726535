"""Portals and their objects: a sentence with its cure for every code of the portal, and for our own about its objects.

The codes are those of the error tables in the documentation (facts/api 6.1) and of facts/biconnector 4.6; the portal's
own descriptions are not meant for users (facts/platform 5.2) and are never shown.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

SENTENCES: Mapping[str, LazyString] = {
    # Any object
    "VALIDATION_FIELDS_NOT_PROVIDED": _l("Nothing was sent. Fill in the form and save it again."),
    "VALIDATION_UNKNOWN_PARAMETERS": _l(
        "This portal does not know one of the fields. Open the form again: it then offers only what the portal knows."
    ),
    "VALIDATION_REQUIRED_FIELD_MISSING": _l("Fill in this field."),
    "BX_EMPTY_REQUIRED": _l("Fill in this field."),
    "BX_INVALID_VALUE": _l("The portal does not take this value. Check it and try again."),
    "VALIDATION_READ_ONLY_FIELD": _l("The portal fills in this field by itself, it cannot be changed."),
    "VALIDATION_IMMUTABLE_FIELD": _l("This can be chosen only once. To change it, create a new object."),
    "VALIDATION_INVALID_FIELD_TYPE": _l("This value is of the wrong kind. Check for letters in a number."),
    "VALIDATION_ID_NOT_PROVIDED": _l("The address lacks a number. Go back to the list and open the object from there."),
    "VALIDATION_INVALID_ID_FORMAT": _l(
        "The number in the address is wrong. Go back to the list and open the object from there."
    ),
    "VALIDATION_TOO_LONG": _l("This is too long. Shorten it to at most %(limit)s characters."),
    "VALIDATION_NOT_AN_INTEGER": _l("Enter a whole number, for example 100."),
    "VALIDATION_URL_INVALID": _l("Enter a full address that starts with https:// or http://."),
    "": _l("The portal refused without a reason. Check that every required field is filled in and save again."),
    "UNREADABLE_CODE": _l("The portal refused with an answer that could not be read. Try again in a minute."),
    # Connectors
    "CONNECTOR_NOT_FOUND": _l("There is no such connector, or another application made it. Choose one from the list."),
    "CONNECTOR_DELETE_RESTRICTED": _l(
        "The connector still has sources, perhaps made in the portal itself. Delete them first."
    ),
    "VALIDATION_SETTINGS_MISSING_REQUIRED_FIELDS": _l(
        "A parameter needs a code, a name and a type. Fill in all three."
    ),
    "VALIDATION_SETTINGS_NAME_TOO_LONG": _l("The name of a parameter has at most 512 characters. Shorten it."),
    "VALIDATION_SETTINGS_CODE_TOO_LONG": _l("The code of a parameter has at most 512 characters. Shorten it."),
    "VALIDATION_SETTINGS_INVALID_TYPE": _l("This portal does not know the parameter's type. Choose one from the list."),
    "VALIDATION_SETTINGS_DUPLICATE_CODE": _l("Another parameter has this code already. Give each its own."),
    "SETTING_CODE_OVERWRITES": _l(
        "Bitrix24 would write this parameter's value over the source's own. Choose another code."
    ),
    "FILE_NOT_KEPT": _l("The file could not be kept. Choose it again."),
    "UPLOAD_QUOTA": _l(
        "The portal's uploaded files take %(used)s of %(allowed)s MB, so this one has no room. "
        "Delete a connection with a file, or ask whoever runs the application."
    ),
    "LOGO_TOO_LARGE": _l("The file has more than 64 KB. Choose a smaller image."),
    "LOGO_NOT_AN_IMAGE": _l("The file is no image. Choose a PNG, JPEG, GIF, WebP or SVG file."),
    "LOGO_NOT_AN_ADDRESS": _l("This is no address of an image. Start with https:// or with data:image/."),
    # Sources
    "SOURCE_NOT_FOUND": _l("There is no such source, or another application made it. Choose one from the list."),
    "SOURCE_CREATE_CONNECTION_ERROR": _l(
        "The portal could not connect, so nothing was saved. Check the parameters below, "
        "and that the connector's check address answers with status 200."
    ),
    "SOURCE_UPDATE_CONNECTION_ERROR": _l(
        "The portal could not connect with these values, so the old ones stay. Check the parameters below, "
        "and that the connector's check address answers with status 200."
    ),
    "BX_ERROR": _l("The source still has datasets, perhaps made in the portal itself. Delete them first."),
    "ACTIVE_IGNORED": _l(
        "Everything else was saved, but this portal does not let applications switch sources on or off. "
        "Do it in the portal's own list of sources."
    ),
    "VALUE_NOT_KEPT": _l(
        "Everything else was saved, but the portal did not keep this value: the parameter is newer than the source. "
        "Make a new source, or fill it in in the portal's own form."
    ),
    # Hosted connections
    "CONNECTION_NOT_FOUND": _l("There is no such connection. Choose one from the list."),
    "KEY_NOT_TAKEN": _l("The portal still has the former key, which goes on working. Try again in a minute."),
    "ROTATION_UNDER_WAY": _l("The key is being changed at this very moment. Wait a few seconds."),
    "UNKNOWN_PORTAL": _l("The application is not installed in this portal."),
    # Datasets
    "DATASET_NOT_FOUND": _l("There is no such dataset, or another application made it. Choose one from the list."),
    "TABLE_NOT_FOUND": _l("There is no such dataset, or another application made it. Choose one from the list."),
    "DATASET_ALREADY_EXIST": _l("A dataset with this name exists in the portal already. Choose another name."),
    "NAME_EXISTS": _l("A dataset with this name exists in the portal already. Choose another name."),
    "COLUMN_CODE_TAKEN": _l("Another column of this table has this name, or had it. Choose another one."),
    "COLUMN_CODE_HAS_TYPE": _l(
        "The portal knows this name with another type, which stays. Give the column another name for the chosen type."
    ),
    "COLUMN_CODE_RESERVED": _l("Filters of the portal use this word. Choose another name."),
    "MISFITS_UNANSWERED": _l("Say what becomes of values that do not fit, then publish again."),
    "NAME_CHOSEN_TWICE": _l("Another table of this page has this name already. Give each its own."),
    "VALIDATION_SOURCE_ID_REQUIRED": _l("Choose the source that the dataset reads from."),
    "VALIDATION_DATASET_NAME_INVALID": _l(
        "Start with a lowercase Latin letter and go on with a-z, 0-9 and _, for example sales_2026."
    ),
    "VALIDATION_DATASET_NAME_TOO_LONG": _l("The name of a dataset has at most 230 characters. Shorten it."),
    "INVALID_METHOD": _l("Columns are changed on the dataset's own page. Open it and change them there."),
    "DATASET_UPDATE_ERROR": _l("The portal could not change the dataset. Reload the page and try again."),
    # Columns
    "FIELDS_EMPTY": _l("A dataset needs at least one column. Add one."),
    "DUPLICATE_FIELDS": _l("Two columns are the same. Give each its own name and code."),
    "VALIDATION_DUPLICATE_FIELD_CODE": _l("Another column has this code already. Give each its own."),
    "VALIDATION_DUPLICATE_FIELD_NAME": _l("Another column has this name already. Give each its own."),
    "VALIDATION_DUPLICATE_EXIST_CODE": _l("The dataset has a column with this code already. Choose another code."),
    "VALIDATION_DUPLICATE_EXIST_NAME": _l("The dataset has a column with this name already. Choose another name."),
    "VALIDATION_FIELD_MISSING_REQUIRED_PARAMETERS": _l("A column needs a name, a code and a type. Fill in all three."),
    "VALIDATION_FIELD_ADD_MISSING_REQUIRED_FIELDS": _l("A column needs a name, a code and a type. Fill in all three."),
    "VALIDATION_FIELD_UPDATE_MISSING_REQUIRED_FIELDS": _l(
        "It is unclear which column to show or hide. Reload the page and try again."
    ),
    "VALIDATION_FIELD_DELETE_INVALID_ID": _l("It is unclear which column to delete. Reload the page and try again."),
    "NOTHING_TO_CHANGE": _l("Nothing was changed. Add a column, or change a tick, before you save."),
    "COLUMN_NOT_IN_DATASET": _l(
        "A column is gone from this dataset, so nothing was changed. Look at the current columns and repeat."
    ),
    "VALIDATION_FIELD_NAME_INVALID_FORMAT": _l(
        "Start with an uppercase Latin letter and go on with A-Z, 0-9 and _, for example ORDER_DATE."
    ),
    "VALIDATION_FIELD_NAME_TOO_LONG": _l("The name of a column has at most 32 characters. Shorten it."),
    "VALIDATION_FIELD_INVALID_TYPE": _l("This portal does not know the column's type. Choose one from the list."),
    # Lists
    "VALIDATION_SELECT_TYPE": _l("The list could not be read. Open it again from the menu."),
    "VALIDATION_FILTER_TYPE": _l("The list cannot be filtered like this. Clear the filter."),
    "VALIDATION_ORDER_TYPE": _l("The list cannot be sorted like this. Open it again from the menu."),
    "VALIDATION_FIELD_NOT_ALLOWED_IN_SELECT": _l("The list could not be read. Open it again from the menu."),
    "VALIDATION_FIELD_NOT_ALLOWED_IN_FILTER": _l("The list cannot be filtered like this. Clear the filter."),
    "VALIDATION_FIELD_NOT_ALLOWED_IN_ORDER": _l("The list cannot be sorted like this. Open it again from the menu."),
    "VALIDATION_INVALID_FILTER_LOGIC": _l("The list cannot be filtered like this. Clear the filter."),
    "ERROR_ARGUMENT": _l("The list cannot be sorted like this. Open it again from the menu."),
    # Rights, plan and the portal itself
    "ACCESS_DENIED": _l("You may not work with BI data in this portal. Ask an administrator for access."),
    "INVALID_CREDENTIALS": _l("Your rights in the portal do not suffice. Ask an administrator for access."),
    "INSUFFICIENT_SCOPE": _l("The application may not use BI data. Ask an administrator to install it again."),
    "INVALID_SCOPE": _l("The application may not use BI data. Ask an administrator to install it again."),
    "USER_ACCESS_ERROR": _l("The application is closed to you. Ask an administrator to open it."),
    "ALLOWED_ONLY_INTRANET_USER": _l("Guests of the portal cannot use the application. Ask an employee."),
    "WRONG_AUTH_TYPE": _l("The portal wants the application to be opened from its menu. Open it there again."),
    "METHOD_CONFIRM_WAITING": _l("An administrator has yet to allow this action. Ask for it, then try again."),
    "METHOD_CONFIRM_DENIED": _l("An administrator has forbidden this action. Ask why."),
    "ERROR_METHOD_NOT_FOUND": _l(
        "This portal is too old for the action. Ask an administrator to update its BI Builder module."
    ),
    "OVERLOAD_LIMIT": _l("Bitrix24 has blocked this portal's requests. Only its support can lift that: contact them."),
    "QUERY_LIMIT_EXCEEDED": _l("The portal gets too many requests at the moment. Try again %(when)s."),
    "OPERATION_TIME_LIMIT": _l("The portal has been busy with this for too long. Try again %(when)s."),
    "REFRESH_RESTS": _l(
        "Bitrix24's authorization server does not answer, so nothing was sent to the portal. Try again %(when)s."
    ),
    "REFRESH_UNDER_WAY": _l("Your permission is being renewed at this very moment. Try again %(when)s."),
    "GRANT_UNDER_CHANGE": _l("The application was opened several times at once. Try again %(when)s."),
    "PORTAL_UNDER_CHANGE": _l("The application was opened several times at once. Try again %(when)s."),
    "INSTALLATION_DOUBTED": _l(
        "The portal says that the application is not installed. Bitrix24 is asked again before anything ends; charts "
        "go on, and nothing was changed. Try again %(when)s."
    ),
    "FORM_UNDER_WAY": _l("The same form is being saved at this very moment. Wait a few seconds."),
    "INTERNAL_SERVER_ERROR": _l("The portal had an internal error. Try again in a minute."),
    "ERROR_UNEXPECTED_ANSWER": _l("The portal had an internal error. Try again in a minute."),
    "ERROR_BATCH_METHOD_NOT_ALLOWED": _l("The application asked in a wrong way. Tell its support what you did."),
    "ERROR_BATCH_LENGTH_EXCEEDED": _l("The application asked for too much at once. Tell its support what you did."),
    "INVALID_REQUEST": _l("The portal wants encrypted connections. Ask whoever runs the application to use https."),
    "ERROR_MANIFEST_IS_NOT_AVAILABLE": _l("The portal cannot do this. Ask its administrator to update it."),
    "NO_AUTH_FOUND": _l("The portal no longer recognises you. Open the application from the portal's menu again."),
    "EXPIRED_TOKEN": _l("Your permission has expired. Open the application from the portal's menu again."),
    "PORTAL_UNREACHABLE": _l("The portal does not answer at the moment, so nothing was saved. Try again in a minute."),
    "PORTAL_TIMEOUT": _l("It took too long to answer."),
    "PORTAL_TLS": _l("Its certificate is not in order, so the connection was not trusted."),
    "PORTAL_TOO_LARGE": _l(
        "Its answer is larger than the application takes. Narrow the list with a filter or a search."
    ),
    "PORTAL_REFUSED": _l("Its address may not be called from here. Ask whoever runs the application."),
    "PORTAL_DOWN": _l("It is down or cannot be reached at the moment."),
    "OUTCOME_UNKNOWN": _l(
        "The portal did not answer in time, so it may have saved this or not. Look at the list before you try again."
    ),
    "PORTAL_DELETED": _l("The portal is closed or deleted. Ask its owner."),
}
MISSING = "VALIDATION_REQUIRED_FIELD_MISSING"
MISSING_PARTS: Mapping[tuple[str, str], LazyString] = {
    ("connector", "logo"): _l("Choose a file or enter an address."),
    ("connector", "settings"): _l("A connector needs at least one parameter, for example a login. Add one."),
    ("source", "connectorId"): _l("Choose one of the connectors."),
    ("source", "settings"): _l(
        "A source needs the values of its connector's parameters. Choose the connector, then fill them in."
    ),
    ("dataset", "sourceId"): _l("Choose one of the sources."),
    ("table", "sourceId"): _l("Choose one of the sources."),
    ("dataset", "fields"): SENTENCES["FIELDS_EMPTY"],
    ("table", "fields"): SENTENCES["FIELDS_EMPTY"],
}
"""By object and field, where nothing is typed: a list is without rows, a value has two ways in or is chosen."""
OUR_WAITS = frozenset(
    {"REFRESH_RESTS", "REFRESH_UNDER_WAY", "INSTALLATION_DOUBTED", "GRANT_UNDER_CHANGE", "PORTAL_UNDER_CHANGE"}
    | {"FORM_UNDER_WAY", "ROTATION_UNDER_WAY"}
)
"""Codes of `PortalBusy` that are this application's: the portal is not to blame for them."""
OUTAGES = frozenset({"PORTAL_TIMEOUT", "PORTAL_TLS", "PORTAL_TOO_LARGE", "PORTAL_REFUSED"})
"""Reasons of `PortalUnreachable` with a sentence of their own; of every other one `PORTAL_DOWN` is told."""
