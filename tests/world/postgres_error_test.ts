import { assert, assertEquals } from "@std/assert";
import { sharedError } from "../../src/world/postgres_error.ts";

Deno.test("postgres error: of what a server says, only the beginning is repeated", () => {
  const said = Object.assign(new Error("x".repeat(1_000_000)), { code: "53100" });
  const { kind, message } = sharedError(said);
  assertEquals(kind, "exhausted");
  assert(message.startsWith("PostgreSQL: xxx") && message.endsWith("x (53100)"));
  assert(message.length < 600, `${message.length} characters`);
});
