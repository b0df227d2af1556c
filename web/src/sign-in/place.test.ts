import { expect, test } from "vitest";
import { placeOf } from "./place";

test("an address without a hash means the sign-in", () => {
  expect(placeOf("")).toEqual({ form: "sign-in" });
  expect(placeOf("#anything")).toEqual({ form: "sign-in" });
});

test("links of mails carry their token", () => {
  expect(placeOf("#verify=abc_-1")).toEqual({ form: "verify", token: "abc_-1" });
  expect(placeOf("#reset=xyz")).toEqual({ form: "reset", token: "xyz" });
});

test("a link without its token is only the sign-in", () => {
  expect(placeOf("#verify=")).toEqual({ form: "sign-in" });
  expect(placeOf("#reset")).toEqual({ form: "sign-in" });
});
