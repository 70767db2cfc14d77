"""Arrow types for the values of a sample: from a JSON schema, from a table's columns, or from the values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from cutline.records import JSON
from cutline.serialization import encode_json

_MOST_COLUMNS = 1000
_DEEPEST = 20
_SCALARS = {"string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}


class UntypedValue(ValueError):
    """The values of ``column``, of the object ``name``, have no common type, or not the declared one."""

    def __init__(self, name: str, column: str) -> None:
        super().__init__(f"{name}.{column}")
        self.name = name
        self.column = column


def schema_type(schema: JSON | None) -> pa.DataType | None:
    """The struct of a JSON schema's object; JSON text for what has no one type; None without properties."""
    if not schema:
        return None
    found = _of_schema(schema, schema, 0)
    return found if pa.types.is_struct(found) else None


def _of_schema(schema: Any, root: JSON, depth: int) -> pa.DataType:
    """The type of a part of the schema ``root``; string stands for JSON text too."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return pa.string()
    choices = [one for key in ("anyOf", "oneOf") for one in schema.get(key, ()) if one != {"type": "null"}]
    if isinstance(ref := schema.get("$ref"), str):
        choices = [_resolve(ref, root)]
    if choices:
        return _of_schema(choices[0], root, depth + 1) if len(choices) == 1 else pa.string()
    given = schema.get("type", [])
    kinds = {*([given] if isinstance(given, str) else given)} - {"null"}
    kind = "number" if kinds == {"integer", "number"} else kinds.pop() if len(kinds) == 1 else ""
    if kind == "array":
        return pa.list_(_of_schema(schema.get("items"), root, depth + 1))
    properties = schema.get("properties")
    if kind == "object" and isinstance(properties, dict) and properties:
        return pa.struct([(name, _of_schema(part, root, depth + 1)) for name, part in properties.items()])
    return _SCALARS.get(kind, pa.string())


def _resolve(ref: str, root: JSON) -> Any:
    found: Any = root
    for part in ref.removeprefix("#").split("/")[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found


def declared(columns: Mapping[str, Any], schema: JSON | None) -> dict[str, dict[str, pa.DataType]]:
    """The types of metadata, by the table's columns, and of fields, by the JSON schema."""
    fields = schema_type(schema)
    own = {} if fields is None else {field.name: field.type for field in _fields(fields)}
    return {"metadata": dict(columns), "fields": own}


def extend(
    types: dict[str, pa.DataType],
    objects: Sequence[Mapping[str, Any]],
    known: Mapping[str, pa.DataType],
    texts: set[str],
) -> None:
    """Add the types of the objects' values to ``types``, by key; ``known`` ones are taken as they are.

    A key whose values have no common type is added to ``texts``.
    """
    for key in dict.fromkeys(key for each in objects for key in each):
        if key in texts or key in known:
            types.setdefault(key, pa.string() if key in texts else known[key])
            continue
        try:
            values = [each[key] for each in objects if key in each]
            own = pa.infer_type(values)
            types[key] = _common(types.get(key, own), own)
            is_mixed = any(_has_mixed_text(value, own) for value in values)
        except (pa.ArrowException, ValueError, OverflowError, TypeError):
            is_mixed = True
        if is_mixed:
            texts.add(key)
            types[key] = pa.string()


def _has_mixed_text(value: Any, type_: pa.DataType) -> bool:
    """Whether something that is not text was taken for one, among texts."""
    if value is None:
        return False
    if pa.types.is_string(type_):
        return not isinstance(value, str)
    if isinstance(value, list) and _is_list(type_):
        return any(_has_mixed_text(part, type_.value_type) for part in value)
    if isinstance(value, dict) and pa.types.is_struct(type_):
        parts = ((value.get(field.name), field.type) for field in _fields(type_))
        return any(_has_mixed_text(part, part_type) for part, part_type in parts)
    return False


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """A type for the values of both; raises ArrowException where there is none."""
    if one.equals(other):
        return one
    schemas = [pa.schema([("", each)]) for each in (one, other)]
    return pa.unify_schemas(schemas, promote_options="permissive").field(0).type


def struct(types: Mapping[str, pa.DataType]) -> pa.DataType | None:
    """The struct of these columns as Parquet can hold it; None for none, or too many."""
    if not 0 < len(types) <= _MOST_COLUMNS:
        return None
    return pa.struct([(key, storable(type_)) for key, type_ in types.items()])


def storable(type_: pa.DataType) -> pa.DataType:
    """The type of a column for its values, as Parquet can hold it."""
    return _writable(_storable(type_))


def _writable(type_: pa.DataType) -> pa.DataType:
    """Text in place of a type that Arrow does not parse from JSON's values, such as a time of day."""
    try:
        column_array([None], type_)
    except (pa.ArrowException, ValueError, TypeError):
        return pa.string()
    return type_


def _storable(type_: pa.DataType) -> pa.DataType:
    """``type_`` without nulls, views and empty structs, for which Parquet has no form."""
    types = pa.types
    found = pa.string()
    plain = (types.is_integer, types.is_floating, types.is_boolean, types.is_temporal, types.is_decimal)
    if types.is_dictionary(type_):
        found = _storable(type_.value_type)
    elif _is_list(type_):
        found = pa.list_(_storable(type_.value_type))
    elif types.is_struct(type_) and type_.num_fields:
        found = pa.struct([(field.name, _storable(field.type)) for field in _fields(type_)])
    elif types.is_float16(type_):
        found = pa.float32()
    elif any(is_plain(type_) for is_plain in plain) and not types.is_duration(type_):
        found = type_
    return found


def struct_array(name: str, values: Iterable[Any], type_: pa.DataType) -> pa.Array:
    """JSON values as a struct array; dates and decimals are texts in JSON, and parsed.

    Raises:
        UntypedValue: a value does not fit its column.
    """
    rows = list(values)
    columns = []
    for field in _fields(type_):
        column = [None if row is None else row.get(field.name) for row in rows]
        try:
            columns.append(column_array(column, field.type))
        except (pa.ArrowException, ValueError, OverflowError, TypeError) as error:
            raise UntypedValue(name, field.name) from error
    return pa.StructArray.from_arrays(
        columns, fields=_fields(type_), mask=pa.array([row is None for row in rows])
    )


def fits(name: str, value: Any, type_: pa.DataType) -> bool:
    """Whether an object can be a value of the struct, without losing anything of it."""
    if value is not None and not _fits(value, type_):
        return False
    try:
        struct_array(name, [value], type_)
    except UntypedValue:
        return False
    return True


def column_array(values: list[Any], type_: pa.DataType) -> pa.Array:
    """JSON values as an array; raises ArrowException, ValueError, OverflowError or TypeError for others."""
    if pa.types.is_string(type_):
        return pa.array([text(value) for value in values], type_)
    if not all(_fits(value, type_) for value in values):
        raise ValueError("a value of another type")
    built = _in_json(type_)
    array = pa.array([_prepared(value, type_) for value in values], built)
    return array if built.equals(type_) else array.cast(type_)


def _fits(value: Any, type_: pa.DataType) -> bool:
    """Whether nothing of the value is lost: no other keys, no text or bool where a number is meant."""
    types = pa.types
    if value is None:
        return True
    if types.is_struct(type_):
        known = {field.name: field.type for field in _fields(type_)}
        return isinstance(value, dict) and all(
            key in known and _fits(part, known[key]) for key, part in value.items()
        )
    if _is_list(type_):
        return isinstance(value, list) and all(_fits(part, type_.value_type) for part in value)
    if types.is_boolean(type_) or types.is_integer(type_) or types.is_floating(type_):
        wanted = bool if types.is_boolean(type_) else int if types.is_integer(type_) else int | float
        whole = types.is_integer(type_) and isinstance(value, float) and value.is_integer()
        return whole or (isinstance(value, wanted) and isinstance(value, bool) == types.is_boolean(type_))
    return True


def _prepared(value: Any, type_: pa.DataType) -> Any:
    """The value with JSON text where the type is text and the value is none."""
    types = pa.types
    if value is None:
        return None
    if types.is_struct(type_):
        return {field.name: _prepared(value.get(field.name), field.type) for field in _fields(type_)}
    if _is_list(type_):
        return [_prepared(part, type_.value_type) for part in value]
    if types.is_integer(type_):
        return int(value)
    return text(value) if types.is_string(type_) else value


def _in_json(type_: pa.DataType) -> pa.DataType:
    """The type whose values JSON has, from which Arrow casts to ``type_``."""
    if _is_list(type_):
        return pa.list_(_in_json(type_.value_type))
    if pa.types.is_struct(type_):
        return pa.struct([(field.name, _in_json(field.type)) for field in _fields(type_)])
    return pa.string() if pa.types.is_temporal(type_) or pa.types.is_decimal(type_) else type_


def text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else encode_json(value).decode()


def _fields(type_: pa.DataType) -> list[pa.Field]:
    return [type_.field(number) for number in range(type_.num_fields)]


def _is_list(type_: pa.DataType) -> bool:
    types = pa.types
    lists = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view)
    return any(is_list(type_) for is_list in lists)
