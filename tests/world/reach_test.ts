import { assertEquals } from "@std/assert";
import { REACH, reachOfAddress, reachOfName } from "../../src/world/reach.ts";

Deno.test("reachOfAddress: an address of this machine is known in every notation", () => {
  const notations = [
    ...["127.0.0.1", "127.255.255.255", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1"],
    ...["0.0.0.0", "0", "0.255.255.255", "127.0.0.1."],
    ...["::1", "[::1]", "::", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1"],
    // By a translator, and over 6to4.
    ...["::127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
  ];
  for (const text of notations) assertEquals(reachOfAddress(text), REACH.machine, text);
});

Deno.test("reachOfAddress: a link's and a private network's addresses, to both their ends", () => {
  const link = ["169.254.0.0", "169.254.169.254", "fe80::1", "fe80::1%eth0", "febf:ffff::"];
  for (const text of link) assertEquals(reachOfAddress(text), REACH.link, text);
  const network = [
    ...["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0"],
    ...["192.168.255.255", "100.64.0.0", "100.127.255.255", "198.18.0.1", "224.0.0.1"],
    ...["255.255.255.255", "192.0.0.8", "fc00::", "fdff:ffff::1", "fec0::1", "ff02::1"],
    ...[
      "::ffff:10.0.0.1",
      "::192.168.0.1",
      "64:ff9b::10.0.0.1",
      "64:ff9b:1::1",
      "2002:c0a8:101::1",
      "2001::1",
    ],
  ];
  for (const text of network) assertEquals(reachOfAddress(text), REACH.network, text);
});

Deno.test("reachOfAddress: what lies just outside of those ranges is on the internet", () => {
  const internet = [
    ...["1.0.0.0", "126.255.255.255", "128.0.0.0", "9.255.255.255", "11.0.0.0", "172.15.255.255"],
    ...["172.32.0.0", "192.167.255.255", "192.169.0.0", "169.253.255.255", "169.255.0.0"],
    ...["100.63.255.255", "100.128.0.0", "223.255.255.255", "192.0.1.0", "198.20.0.0"],
    ...["2001:db8::1", "2606:4700::1111", "fbff::1", "fe00::1", "::ffff:8.8.8.8"],
    ...["64:ff9b::8.8.8.8", "2002:808:808::1"],
  ];
  for (const text of internet) assertEquals(reachOfAddress(text), REACH.internet, text);
});

Deno.test("reachOfAddress: a name is no address", () => {
  for (
    const text of ["localhost", "log.example", "1.2.3.example", "", "a:b", "[::1", "1.2.3.4.5"]
  ) {
    assertEquals(reachOfAddress(text), undefined, text);
  }
});

Deno.test("reachOfName: names that are never on the internet say so themselves", () => {
  const machine = ["localhost", "LOCALHOST", "localhost.", "a.localhost"];
  for (const name of machine) assertEquals(reachOfName(name), REACH.machine, name);
  const network = ["log", "printer.local", "log.internal", "a.home.arpa", "a.lan."];
  for (const name of network) assertEquals(reachOfName(name), REACH.network, name);
  const internet = ["log.example", "localhost.example", "local.example", "notlocalhost.example"];
  for (const name of internet) assertEquals(reachOfName(name), REACH.internet, name);
});
