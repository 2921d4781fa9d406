import { assertEquals, assertThrows } from "@std/assert";
import { WorldError } from "../../src/world/world.ts";
import { world } from "./helpers.ts";

const ANY_PORT = { hostname: "127.0.0.1", port: 0 };

Deno.test("http: serve answers with what it is told, and tells a fault as a bare 500", async () => {
  const asked: (string | undefined)[][] = [];
  const server = world.http.serve(ANY_PORT, (query) => {
    const headers = [query.header("x-own"), query.header("x-none")];
    asked.push([query.method, query.path, query.search, ...headers]);
    if (query.path === "/fault") return Promise.reject(new Error("secret"));
    const body = new TextEncoder().encode("body");
    return Promise.resolve({ status: 203, headers: { "x-a": "b" }, body });
  }, () => {});
  const base = `http://127.0.0.1:${server.address.port}`;
  const response = await fetch(`${base}/a%20b?c=d`, { headers: { "X-Own": "own" } });
  assertEquals([response.status, response.headers.get("x-a")], [203, "b"]);
  assertEquals(await response.text(), "body");
  assertEquals(asked, [["GET", "/a%20b", "c=d", "own", undefined]]);
  const fault = await fetch(`${base}/fault`);
  assertEquals([fault.status, await fault.text()], [500, ""]);
  assertThrows(
    () => world.http.serve(server.address, () => Promise.reject(), () => {}),
    WorldError,
  );
  await server.close();
});
