/** The hub's settings, from the environment. */
import { expect, test } from "vitest";
import { hubSettings } from "./hub-cache.js";

test("the environment's settings are those that Python reads", () => {
  expect(hubSettings({ HF_HOME: "/a" }).cache).toBe("/a/hub");
  expect(hubSettings({ HF_HOME: "/a", HF_HUB_CACHE: "/b" }).cache).toBe("/b");
  expect(hubSettings({ XDG_CACHE_HOME: "/c" }).cache).toBe("/c/huggingface/hub");
  expect(hubSettings({ HF_TOKEN: " t\n" }).token).toBe("t");
  expect(hubSettings({ HF_HUB_OFFLINE: "1" }).offline).toBe(true);
  expect(hubSettings({ HF_HUB_OFFLINE: "0" }).offline).toBe(false);
  expect(hubSettings({}).endpoint).toBe("https://huggingface.co");
});
