// Says "Hello Server!" over a Murre broker and prints the answer. Node 20 and the package `ws`; nothing of Murre's.
//
//     npm install && node hello.mjs [TEXT]        MURRE_BROKER names the broker

import { randomUUID } from "node:crypto";
import WebSocket from "ws";

const broker = process.env.MURRE_BROKER ?? "ws://127.0.0.1:8080/ws";
const question = process.argv[2] ?? "Hello Server!";
const replyTo = `hello/replies/${randomUUID()}`;
// Bytes travel as base64 in the JSON form; the broker hands them back as they are, in the answer.
const correlation = Buffer.from(randomUUID()).toString("base64");

const socket = new WebSocket(broker, "murre.v1.json");
const send = (packet) => socket.send(JSON.stringify(packet));
let outcome; // An Error, or null after an answer; the first one counts.

function end(error) {
  if (outcome !== undefined) return;
  outcome = error;
  clearTimeout(timer);
  if (error) console.error(error.message);
  process.exitCode = error ? 1 : 0;
  if (socket.readyState === WebSocket.OPEN) socket.close(1000);
  else socket.terminate();
}

const timer = setTimeout(() => {
  end(new Error(`No answer from ${broker} within 5 s. Is the responder there? cargo run -p hello`));
}, 5000);

function receive(packet) {
  switch (packet.type) {
    case "subscribed":
      // The reply topic is listened to: now the question can't miss its answer.
      if (packet.code) return end(new Error(`Not allowed to subscribe: ${packet.code} ${packet.info?.reason ?? ""}`));
      console.log(`I say     ${question}`);
      return send({
        type: "publish",
        topic: "hello",
        payload: question,
        id: 1,
        options: { reply_to: replyTo, correlation },
      });
    case "published":
      if (packet.code) end(new Error(`Not allowed to publish: ${packet.code} ${packet.reason ?? ""}`));
      return;
    case "message":
      if (packet.options?.correlation !== correlation) return;
      console.log(`I am told ${packet.payload}`);
      return end(null);
    case "ping":
      return send({ type: "pong" });
    case "disconnect":
      return end(new Error(`The broker ended the connection: ${packet.code} ${packet.reason ?? ""}`));
  }
}

socket.on("open", () => {
  send({ type: "connect", options: { agent: "hello.mjs" } });
  send({ type: "subscribe", sub: 1, filter: replyTo, options: { from: "live" } });
});
socket.on("message", (data) => {
  // One WebSocket message holds one or more packets, a line each.
  for (const line of data.toString().split("\n")) {
    if (line.trim()) receive(JSON.parse(line));
  }
});
socket.on("error", (error) => end(new Error(`No connection to ${broker}: ${error.message || error.code}`)));
socket.on("close", (code) => end(new Error(`The connection was closed with ${code}`)));
