/** Architectures that a program registers: known as long as they are, never in the place of another. */
import { expect, test } from "vitest";
import { buildModel, defineModel, type ModelDefinition, modelDefinition, registerModel } from "./index.js";
import { bert } from "./bert.js";

const mine = defineModel({ ...bert, type: "mine", questionAnswering: "MineForQuestionAnswering" });

test("a registered model is found by its type, named among those there are, and gone when it is taken away", () => {
  const remove = registerModel(mine);
  expect(modelDefinition({ model_type: "mine" }).questionAnswering).toBe("MineForQuestionAnswering");
  expect(buildModel({ model_type: "mine", ...bert.tiny }).width).toBe(bert.tiny!.hidden_size);
  expect(() => modelDefinition({ model_type: "other" })).toThrow(/bert, .*, mine\n/);
  expect(() => buildModel({ model_type: "mine", ...bert.tiny, hidden_size: -1 })).toThrow(/config\.json of this mine model[^]*hidden_size/);
  remove();
  expect(() => modelDefinition({ model_type: "mine" })).toThrow(expect.objectContaining({ code: "UNKNOWN_MODEL_TYPE" }) as Error);
});

test("a type is taken once, also by the models that are built in; a model has one", () => {
  const remove = registerModel(mine);
  for (const definition of [mine, bert, { ...mine, type: "" }, { ...mine, type: undefined } as unknown as ModelDefinition]) {
    expect(() => registerModel(definition)).toThrow(expect.objectContaining({ code: "EXTENSION_INVALID" }) as Error);
  }
  remove();
  remove();
  expect(modelDefinition({ model_type: "bert" })).toBe(bert);
});

test("any schema that reads a config as Zod's do will do", () => {
  const config: ModelDefinition["config"] = {
    safeParse: (given) =>
      (given as { sizes?: unknown }).sizes === "small"
        ? { success: true, data: { ...bert.tiny, ...(bert.config.safeParse(bert.tiny) as { data: object }).data } }
        : { success: false, error: { issues: [{ path: ["sizes"], message: "small is the only one" }] } },
  };
  const remove = registerModel({ ...mine, config });
  expect(buildModel({ model_type: "mine", sizes: "small" }).width).toBe(bert.tiny!.hidden_size);
  expect(() => buildModel({ model_type: "mine", sizes: "large" })).toThrow(/sizes: small is the only one[^]*the text "large"/);
  remove();
});
