/** A recipe with push_to_hub, as a process, against the pretended hub: from training to a pull of what was pushed. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type FakeHub, openFakeHub } from "../fake-hub.js";
import { openWorkplace, type Workplace } from "./command-line.js";

let place: Workplace;
let hub: FakeHub;

beforeAll(async () => {
  place = await openWorkplace();
});
afterAll(() => place.remove());

beforeEach(async () => {
  hub = await openFakeHub();
  for (const [name, value] of Object.entries({ HF_ENDPOINT: hub.endpoint, HF_HOME: `${place.folder}/home`, HF_TOKEN: "right", HF_HUB_OFFLINE: "0" })) vi.stubEnv(name, value);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
});

const short = ["max_steps=2", "max_train_samples=16", "save_strategy=no", "overwrite_output_dir=true"];
const train = (output: string, ...settings: string[]) => place.lectern("train", "recipe.yaml", ...short, `output_dir=${output}`, "push_to_hub=true", ...settings);

test("the model is pushed at the end, and can be pulled", { timeout: 120_000 }, async () => {
  const { code, stderr } = await train("runs/pushed", "hub_model_id=org/trained", "hub_strategy=end");
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  const repository = hub.repositories["models/org/trained"];
  const { commit, files } = repository.revisions["main"];
  expect(repository).toMatchObject({ isPrivate: true, messages: ["End of training"] });
  expect(stderr).toContain(`pushed to ${hub.endpoint}/org/trained (private), commit ${commit.slice(0, 7)}\n`);
  expect(Object.keys(files).sort()).toEqual(
    [".gitattributes", "README.md", "all_results.json", "config.json", "eval_results.json", "model.safetensors", "recipe.yaml", "tokenizer.json", "tokenizer_config.json", "train_results.json", "trainer_state.json"],
  );
  for (const [name, content] of Object.entries(files)) expect(Buffer.from(content).includes(place.folder), name).toBe(false);
  const card = Buffer.from(files["README.md"]).toString();
  expect(card).toMatch(/^---\nlibrary_name: transformers\npipeline_tag: question-answering\n/);
  expect(card).toContain("fine-tuned with Lectern from `tiny`");
  const pulled = await place.lectern("pull", "org/trained");
  expect(pulled.stdout.trim()).toMatch(new RegExp(`${commit}$`));
});

test("a name that cannot be pushed to is told before the training, a hub that fails after it", { timeout: 120_000 }, async () => {
  const refused = await train("runs/refused", "hub_model_id=others/trained");
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.stderr).toMatch(/HUB_FORBIDDEN/);
  expect(refused.stderr).not.toContain("training: 2 steps");

  hub.trouble = [(request, response) => request.url?.includes("/commit/") === true && (request.resume(), response.writeHead(400).end('{"error": "no room"}'), true)];
  const failed = await train("runs/failed", "hub_model_id=org/failed");
  expect(failed).toMatchObject({ code: 1 });
  expect(failed.stderr).toMatch(/HUB_REFUSED: The model is trained, and whole in runs\/failed, but was not pushed\. .*\n.*no room\n.*lectern push runs\/failed org\/failed\n/);
  expect(await place.json("runs/failed", "all_results.json")).toHaveProperty("f1");
});
