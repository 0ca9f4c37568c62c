import { expect, test } from "vitest";
import { configText, parseConfigText } from "./config-json.js";

const text = `{
  "architectures": ["BertModel"], "initializer_factor": 1.0, "hidden_size": 32, "layer_norm_eps": 1e-12, "id2label": {"0": "a: 1.0, b"},
  "rope_parameters": {"rope_theta": 10000.0, "factors": [1.0, 2.5, 3], "sizes": [1, 2]}, "scale": -2E0, "dropout": 0.0
}`;

test("what was a float is written as one, in copies too", () => {
  const copy = { ...parseConfigText(text), architectures: ["BertForQuestionAnswering"], hidden_size: 64, initializer_factor: 3 };
  expect(configText(copy)).toMatchInlineSnapshot(`
    "{
      "architectures": [
        "BertForQuestionAnswering"
      ],
      "initializer_factor": 3.0,
      "hidden_size": 64,
      "layer_norm_eps": 1e-12,
      "id2label": {
        "0": "a: 1.0, b"
      },
      "rope_parameters": {
        "rope_theta": 10000.0,
        "factors": [
          1.0,
          2.5,
          3.0
        ],
        "sizes": [
          1,
          2
        ]
      },
      "scale": -2.0,
      "dropout": 0.0
    }
    "
  `);
});

test("whatever is read is written with the same meaning", () => {
  const { ...config } = parseConfigText(text)!;
  expect(JSON.parse(configText(config))).toEqual(JSON.parse(text));
  expect(configText({ b: 1, a: [0.5, 1] })).toBe('{\n  "b": 1,\n  "a": [\n    0.5,\n    1\n  ]\n}\n');
});

test("what is not an object is none", () => {
  expect(parseConfigText("[1]")).toBeUndefined();
  expect(() => parseConfigText("{")).toThrow(SyntaxError);
});
