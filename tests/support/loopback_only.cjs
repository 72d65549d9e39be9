// Preloaded into the vendors' clients: a connection that would leave this machine is refused and noted down.
"use strict";

const { appendFileSync } = require("node:fs");
const { Socket } = require("node:net");

const LOOPBACK = new Set(["127.0.0.1", "::1", "localhost"]);
const connect = Socket.prototype.connect;

Socket.prototype.connect = function connectOnLoopback(...given) {
  // Node's own callers hand over what is read from the arguments already, as one array.
  const [first, second] = Array.isArray(given[0]) ? given[0] : given;
  const options = typeof first === "object" ? first : { port: first, host: typeof second === "string" ? second : undefined };
  const host = options.host ?? "localhost";
  if (!options.path && !LOOPBACK.has(host)) {
    appendFileSync(process.env.REFUSED_CONNECTIONS, `${host}:${options.port}\n`);
    throw new Error(`${host} is not on this machine`);
  }
  return connect.apply(this, given);
};
