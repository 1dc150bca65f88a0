/** JSON whose ids stay what they are. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { parseJson } from "../dist/json.js";

test("integers that a number cannot hold become texts", () => {
  const text = '{"a":9007199254740993,"b":[9223372036854775807,-9223372036854775807],"c":9007199254740991}';
  assert.deepEqual(parseJson(text), { a: "9007199254740993", b: ["9223372036854775807", "-9223372036854775807"], c: 9007199254740991 });
});

test("nothing else changes", () => {
  const values = ["12345678901234567890", 'a "12345678901234567890" \\', 0.12345678901234567, 1.2345678901234567e-30, 1e300, 0.5, -1, null, true, { "12345678901234567890": 1 }];
  for (const value of [...values, values]) {
    assert.deepEqual(parseJson(JSON.stringify(value)), value);
    assert.deepEqual(parseJson(JSON.stringify({ value, id: 1 })), { value, id: 1 });
  }
  const mixed = JSON.stringify(values).replace("null", "9007199254740993");
  assert.deepEqual(parseJson(mixed), values.map((value) => (value === null ? "9007199254740993" : value)));
});
