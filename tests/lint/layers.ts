/**
 * The project's own lint rules: which room may import which (ARCHITECTURE, "The map"), what the
 * pure rooms may not touch, and that nothing reaches the outside but through src/world.
 */

const PURE_ROOMS = ["tlog", "evidence"];
/** They do not import one another. A new room begins with its name here. */
const MIDDLE_ROOMS = [
  "store",
  "sources",
  "gossip",
  "gather",
  "swarm",
  "authority",
  "federation",
  "response",
];
const BELOW_MONITOR = [...PURE_ROOMS, "world", ...MIDDLE_ROOMS];

/** What each room may import besides itself. A room that is not here may not exist. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  tlog: [],
  evidence: ["tlog"],
  world: ["tlog"],
  ...Object.fromEntries(MIDDLE_ROOMS.map((room) => [room, [...PURE_ROOMS, "world"]])),
  monitor: BELOW_MONITOR,
  web: [...BELOW_MONITOR, "monitor"],
  cli: [...BELOW_MONITOR, "monitor"],
  main: [...BELOW_MONITOR, "monitor", "web", "cli"],
};

/** Packages of the pure rooms: they compute, and reach nothing. */
const PURE_PACKAGES =
  /^(@std\/(encoding|bytes|json)\/[a-z0-9-]+|@noble\/(ed25519|curves\/nist\.js|post-quantum\/ml-dsa\.js)|@chainsafe\/as-sha256\/wasm\.js)$/;
/** Of node:crypto, the pure rooms take what is synchronous and has no randomness. */
const PURE_CRYPTO = ["createHash", "createPublicKey", "hash", "KeyObject", "verify"];
/** World takes what needs a secret as well. Randomness comes from the platform in one place. */
const WORLD_CRYPTO = [
  ...PURE_CRYPTO,
  ...[
    "createCipheriv",
    "createDecipheriv",
    "createHmac",
    "createPrivateKey",
    "diffieHellman",
    "hkdfSync",
  ],
  ...["scrypt", "sign"],
];

/** Globals that are the outside, or a way to it. */
const OUTSIDE = new Set([
  ...["Deno", "Date", "performance", "crypto", "console", "fetch", "process", "globalThis"],
  ...["setTimeout", "setInterval", "clearTimeout", "clearInterval", "queueMicrotask"],
  ...["WebSocket", "Worker", "navigator", "localStorage", "self", "window"],
]);

/** Rooms that may use the outside directly. */
const OUTSIDE_ROOMS = ["world", "main"];
/** So may these: what a command has of its process, the streams, signals and folders. */
const OUTSIDE_FILES = /(?:^|[\\/])src[\\/]cli[\\/](?:terminal|folders)\.ts$/;

/** The room a file is in, `main` for main.ts, or nothing for files outside the program. */
function roomOf(filename: string): string | undefined {
  if (/(^|[\\/])main\.ts$/.test(filename)) return "main";
  return /(?:^|[\\/])src[\\/]([^\\/]+)[\\/][^\\/]+\.ts$/.exec(filename)?.[1];
}

/** What is wrong with an import, if anything. */
function importFault(
  room: string,
  specifier: string,
  names: readonly string[],
): string | undefined {
  if (specifier.startsWith(".")) {
    const target = /^\.\/[^/]+$/.test(specifier) && room !== "main"
      ? room
      : /^(?:\.\.|\.\/src)\/([^/.]+)\/[^/]+$/.exec(specifier)?.[1];
    if (target === undefined) return `"${specifier}" does not lead to a file of a room`;
    if (target === room || MAY_IMPORT[room]?.includes(target)) return undefined;
    return `${room} must not import ${target}`;
  }
  if (/^(npm|jsr|https?|file|data):/.test(specifier)) {
    return `"${specifier}" is not a bare name of the import map`;
  }
  if (specifier === "node:crypto" && [...PURE_ROOMS, "world"].includes(room)) {
    const allowed = room === "world" ? WORLD_CRYPTO : PURE_CRYPTO;
    const wrong = names.find((name) => !allowed.includes(name));
    return wrong === undefined ? undefined : `${room} must not import ${wrong} of node:crypto`;
  }
  if (specifier.startsWith("node:") && room !== "world") {
    return `${room} must not import ${specifier}: the outside is behind src/world`;
  }
  if (PURE_ROOMS.includes(room) && !PURE_PACKAGES.test(specifier)) {
    return `${room} is pure and must not import ${specifier}`;
  }
  return undefined;
}

/** Whether an identifier is a use of a global value, not a member's name or a type. */
function isValueUse(node: Deno.lint.Identifier): boolean {
  const parent = node.parent as {
    type: string;
    computed?: boolean;
    property?: unknown;
    key?: unknown;
  };
  if (parent.type === "MemberExpression" && parent.property === node) {
    return parent.computed === true;
  }
  if (parent.type === "TSTypeReference" || parent.type === "TSQualifiedName") return false;
  return !(parent.key === node && parent.computed !== true);
}

const plugin: Deno.lint.Plugin = {
  name: "hearsay",
  rules: {
    layers: {
      create(context) {
        const room = roomOf(context.filename);
        if (room === undefined) return {};
        const check = (node: Deno.lint.Node, specifier: string, names: readonly string[]): void => {
          const fault = MAY_IMPORT[room] === undefined
            ? `src/${room} is not a room of the map`
            : importFault(room, specifier, names);
          if (fault !== undefined) context.report({ node, message: fault });
        };
        return {
          ImportDeclaration(node) {
            const names = node.specifiers.map((specifier) =>
              specifier.type !== "ImportSpecifier"
                ? "*"
                : specifier.imported.type === "Identifier"
                ? specifier.imported.name
                : "*"
            );
            check(node, node.source.value, names);
          },
          ExportNamedDeclaration(node) {
            if (node.source !== null) check(node, node.source.value, ["*"]);
          },
          ExportAllDeclaration(node) {
            check(node, node.source.value, ["*"]);
          },
          ImportExpression(node) {
            // A package that few need is loaded when it is needed; which one is known beforehand.
            const source = node.source.type === "Literal" ? node.source.value : undefined;
            const isPackage = typeof source === "string" && /^[a-z@]/.test(source);
            if (room === "world" && isPackage) check(node, source, ["*"]);
            else context.report({ node, message: `${room} must not import at run time` });
          },
        };
      },
    },
    outside: {
      create(context) {
        const room = roomOf(context.filename);
        const isOutside = room !== undefined && OUTSIDE_ROOMS.includes(room);
        if (room === undefined || isOutside || OUTSIDE_FILES.test(context.filename)) return {};
        const why = PURE_ROOMS.includes(room)
          ? `${room} is pure`
          : "the outside is reached through src/world alone";
        return {
          Identifier(node) {
            if (OUTSIDE.has(node.name) && isValueUse(node)) {
              context.report({ node, message: `${node.name} in ${room}: ${why}` });
            }
          },
          'MemberExpression[object.name="Math"][property.name="random"]'(node) {
            context.report({ node, message: `Math.random in ${room}: ${why}` });
          },
        };
      },
    },
    synchronous: {
      create(context) {
        const room = roomOf(context.filename);
        if (room === undefined || !PURE_ROOMS.includes(room)) return {};
        const report = (node: Deno.lint.Node): void =>
          context.report({ node, message: `${room} is synchronous` });
        return {
          "FunctionDeclaration[async=true]": report,
          "FunctionExpression[async=true]": report,
          "ArrowFunctionExpression[async=true]": report,
          AwaitExpression: report,
          'Identifier[name="Promise"]': report,
        };
      },
    },
    exit: {
      create(context) {
        const room = roomOf(context.filename);
        if (room === undefined || room === "main") return {};
        return {
          'MemberExpression[object.name="Deno"][property.name=/^(exit|exitCode)$/]'(node) {
            context.report({ node, message: "only main.ts ends the process" });
          },
        };
      },
    },
  },
};

export default plugin;
