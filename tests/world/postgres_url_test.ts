import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { formatHost, parseSharedUrl } from "../../src/world/postgres_url.ts";

/** Why a connection string is refused. */
function refusal(text: string): string {
  return assertThrows(() => parseSharedUrl(text), MalformedError).message;
}

Deno.test("parseSharedUrl: user, hosts, database; TLS unless the string says otherwise", () => {
  assertEquals(parseSharedUrl("postgres://monitor@db.example.com:6432/hearsay"), {
    ...{ user: "monitor", database: "hearsay", isOverTls: true },
    hosts: [{ address: { hostname: "db.example.com", port: 6432 } }],
  });
  const several = parseSharedUrl("postgresql://m@[2001:db8::1]:5433,192.0.2.1,b.example.com/h");
  assertEquals(several.hosts.map(formatHost), [
    "[2001:db8::1]:5433",
    "192.0.2.1:5432",
    "b.example.com:5432",
  ]);
  assert(parseSharedUrl("postgres://m@127.0.0.1/h").isOverTls);
});

Deno.test("parseSharedUrl: names may be percent-encoded", () => {
  const { user, database } = parseSharedUrl("postgres://m%40site@db/a%2Fb%3F%23");
  assertEquals([user, database], ["m@site", "a/b?#"]);
  assertStringIncludes(refusal("postgres://m@db/%zz"), "database");
  assertStringIncludes(refusal("postgres://%00@db/h"), "user");
});

Deno.test("parseSharedUrl: a socket's folder stands in place of hosts, and is without TLS", () => {
  const { hosts, isOverTls } = parseSharedUrl("postgres://m@/h?host=%2Frun%2Fpg/&port=5433");
  assertEquals(hosts, [{ socket: "/run/pg/.s.PGSQL.5433" }]);
  assert(!isOverTls);
  const [only] = parseSharedUrl("postgres://m@/h?host=/run/postgresql").hosts;
  assertEquals(only, { socket: "/run/postgresql/.s.PGSQL.5432" });
  assertStringIncludes(refusal("postgres://m@/h?host=db.example.com"), "socket");
  assertStringIncludes(refusal("postgres://m@db/h?host=/run"), "besides");
  assertStringIncludes(refusal("postgres://m@db/h?port=5433"), "port");
  assertStringIncludes(refusal("postgres://m@/h?host=/run&sslmode=verify-full"), "no TLS");
});

Deno.test("parseSharedUrl: without TLS only this machine is spoken to", () => {
  for (const host of ["localhost", "127.0.0.1:5433", "127.1.2.3", "[::1]", "[::1]:1,localhost"]) {
    assert(!parseSharedUrl(`postgres://m@${host}/h?sslmode=disable`).isOverTls, host);
  }
  const far = ["db.example.com", "127.0.0.1.example.com", "localhost.example.com", "[::2]"];
  for (const host of [...far, "127.0.0.1,192.0.2.1"]) {
    assertStringIncludes(
      refusal(`postgres://m@${host}/h?sslmode=disable`),
      "is not this machine",
      host,
    );
  }
  for (const mode of ["require", "prefer", "allow", "verify-ca", "off"]) {
    assertStringIncludes(refusal(`postgres://m@db/h?sslmode=${mode}`), "expected verify-full");
  }
  assert(parseSharedUrl("postgres://m@db/h?sslmode=verify-full").isOverTls);
});

Deno.test("parseSharedUrl: a password in it is refused, and not repeated", () => {
  const secrets = [
    ...["postgres://m:s3cret@db/h", "postgres://m:s3@cret@db/h", "postgres://m:s3cret/x@db/h"],
    ...[
      "postgres://:s3cret@db/h",
      "postgres://m%3As3cret@db/h",
      "postgres://m@db/h?password=s3cret",
    ],
    ...["postgres://m:s3cret/h", "postgres://m:s3cret", "mysql://m:s3cret@db/h", "m:s3cret@db/h"],
    ...["postgres://m:s3cret?@db/h", "postgres://m:s3cret#@db/h", "postgres://m:s3 cret@db/h"],
    ...["postgres://m:s3cret%zz@db/h", "postgres://m@db/h?pass=s3cret", "postgres:m:s3cret@db/h"],
  ];
  for (const text of secrets) {
    const message = refusal(text);
    assert(!/s3|cret/.test(message), `${text}: ${message}`);
  }
  for (const text of secrets.slice(0, 2)) assertStringIncludes(refusal(text), "password in it");
});

Deno.test("parseSharedUrl: each malformed string is refused with its own reason", () => {
  const reasons: readonly [string, string][] = [
    ["", "does not begin with a scheme"],
    ["hearsay", "does not begin with a scheme"],
    ["http://m@db/h", 'its scheme is "http"'],
    ["postgres://db/h", "names no user"],
    ["postgres://@db/h", "user is empty"],
    ["postgres://m@/h", "hosts is empty"],
    ["postgres://m@db,/h", "hosts is empty"],
    ["postgres://m@:5432/h", "hosts is empty"],
    ["postgres://m@db", "names no database"],
    ["postgres://m@db/", "names no database"],
    ["postgres://m@db/a/b", "names no database, or not just one"],
    ["postgres://m@db:0/h", 'a port in it is "0"'],
    ["postgres://m@db:65536/h", 'a port in it is "65536"'],
    ["postgres://m@db:5432x/h", 'a port in it is "5432x"'],
    ["postgres://m@db:/h", 'a port in it is ""'],
    ["postgres://m@::1/h", "one of its hosts"],
    ["postgres://m@[::1/h", "one of its hosts"],
    ["postgres://m@%2Frun/h", "one of its hosts"],
    ["postgres://m@db/h?sslrootcert=x", 'the parameter "sslrootcert"'],
    ["postgres://m@db/h?sslmode", "sslmode is empty"],
    ["postgres://m@db/h?sslmode=verify-full&sslmode=disable", "twice"],
    ["postgres://m@db/h?target_session_attrs=any", "takes no writes is of no use"],
    ["postgres://m@db/h#x", '"#"'],
    ["postgres://m@db/h?a?b", '"?"'],
    ["postgres://m@d b/h", "space"],
  ];
  for (const [text, reason] of reasons) assertStringIncludes(refusal(text), reason, text);
  assertEquals(parseSharedUrl("postgres://m@db:65535/h").hosts.map(formatHost), ["db:65535"]);
  parseSharedUrl("postgres://m@db/h?target_session_attrs=read-write");
});
