// Sends numbered records from node: node node.mjs BOOTSTRAP TOPIC COUNT
// Each line that it prints is a record's partition, offset and value.
import { once } from "node:events";
import { connect } from "node:net";
import { Duplex } from "node:stream";
import { Kafka } from "./pkg/klamm_js_socket.js";

/** A socket of node's, with the face of Cloudflare's. */
function dial(host, port) {
  const socket = connect({ host, port, noDelay: true, keepAlive: true });
  return { opened: once(socket, "connect"), ...Duplex.toWeb(socket), close: () => socket.destroy() };
}

const [bootstrap, topic, count] = process.argv.slice(2);
const kafka = await Kafka.connect(bootstrap, dial);
const send = async (_, n) => {
  const { partition, offset } = await kafka.send(topic, `${n}`, new TextEncoder().encode(`value ${n}`));
  return `${partition} ${offset} value ${n}`;
};
const lines = await Promise.all(Array.from({ length: Number(count) }, send));
await kafka.close();
console.log(lines.join("\n"));
