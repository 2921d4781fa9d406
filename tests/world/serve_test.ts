import { assertEquals, assertThrows } from "@std/assert";
import { type HttpQuery, WorldError } from "../../src/world/world.ts";
import { world } from "./helpers.ts";

const ANY_PORT = { hostname: "127.0.0.1", port: 0 };

Deno.test("http: serve answers with what it is told, and tells a fault as a bare 500", async () => {
  const asked: HttpQuery[] = [];
  const server = world.http.serve(ANY_PORT, (query) => {
    asked.push(query);
    if (query.path === "/fault") return Promise.reject(new Error("secret"));
    const body = new TextEncoder().encode("body");
    return Promise.resolve({ status: 203, headers: { "x-a": "b" }, body });
  });
  const base = `http://127.0.0.1:${server.address.port}`;
  const response = await fetch(`${base}/a%20b?c=d`, { headers: { "X-Own": "own" } });
  assertEquals([response.status, response.headers.get("x-a")], [203, "b"]);
  assertEquals(await response.text(), "body");
  const [query] = asked;
  assertEquals([query!.method, query!.path, query!.search], ["GET", "/a%20b", "c=d"]);
  assertEquals([query!.header("x-own"), query!.header("x-none")], ["own", undefined]);
  const fault = await fetch(`${base}/fault`);
  assertEquals([fault.status, await fault.text()], [500, ""]);
  assertThrows(() => world.http.serve(server.address, () => Promise.reject()), WorldError);
  await server.close();
});
