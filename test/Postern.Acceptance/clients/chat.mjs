// The client library @trigger.dev/sdk, unmodified, against this server. One scenario a call: node chat.mjs SCENARIO.
// TRIGGER_API_URL and TRIGGER_SECRET_KEY point at the server. Any difference from what the library expects throws.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { auth, sessions } from "@trigger.dev/sdk";
import { chat } from "@trigger.dev/sdk/ai";
import { TriggerChatTransport } from "@trigger.dev/sdk/chat";

const baseURL = process.env.TRIGGER_API_URL;
const start = (externalId, more = {}) =>
  sessions.start({
    type: "chat.agent",
    externalId,
    taskIdentifier: "echo",
    triggerConfig: { basePayload: { chatId: externalId, trigger: "preload" } },
    ...more,
  });
const user = (text) => ({ id: randomUUID(), role: "user", parts: [{ type: "text", text }] });

async function drain(stream, onChunk) {
  const chunks = [];
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return chunks;
    chunks.push(value);
    if ((await onChunk?.(value, chunks)) === "leave") {
      await reader.cancel();
      return chunks;
    }
  }
}

const textOf = (chunks) => chunks.filter((c) => c.type === "text-delta").map((c) => c.delta).join("");

function transport(chatId, token, more = {}) {
  return new TriggerChatTransport({
    task: "echo",
    baseURL,
    accessToken: async () => token,
    sessions: { [chatId]: { publicAccessToken: token } },
    ...more,
  });
}

const scenarios = {
  async lifecycle() {
    const id = "life-" + randomUUID();
    const created = await start(id, { tags: ["one", "two, with a comma"], metadata: { plan: "free" } });
    assert.equal(created.isCached, false);
    assert.match(created.runId, /^run_/);
    const again = await start(id);
    assert.equal(again.isCached, true);
    assert.equal(again.id, created.id);
    assert.equal(again.runId, created.runId);
    assert.deepEqual(again.tags, ["one", "two, with a comma"]);

    const byName = await sessions.retrieve(id);
    const byId = await sessions.retrieve(created.id);
    assert.deepEqual(byName, byId);
    assert.deepEqual(byName.metadata, { plan: "free" });

    const updated = await sessions.update(id, { tags: ["three"], metadata: null });
    assert.deepEqual(updated.tags, ["three"]);
    assert.equal(updated.metadata, null);

    const listed = [];
    for await (const item of sessions.list({ taskIdentifier: "echo", tag: "three", limit: 1 })) listed.push(item.id);
    assert.ok(listed.includes(created.id));

    const closed = await sessions.close(id, { reason: "done with it" });
    assert.ok(closed.closedAt);
    assert.equal(closed.closedReason, "done with it");
    const twice = await sessions.close(id, { reason: "later" });
    assert.equal(twice.closedReason, "done with it");
    await assert.rejects(start(id), (e) => e.status === 409);
    await assert.rejects(sessions.retrieve("no-such-session"), (e) => e.status === 404);
  },

  async publicToken() {
    const id = "token-" + randomUUID();
    await start(id);
    const scopes = { read: { sessions: id }, write: { sessions: id } };
    const token = await auth.createPublicToken({ scopes, expirationTime: "10m" });
    const messages = [user("signed by the client")];
    const stream = await transport(id, token).sendMessages({ trigger: "submit-message", chatId: id, messages });
    assert.equal(textOf(await drain(stream)), "signed by the client");
    await auth.withAuth({ accessToken: token }, async () => {
      assert.equal((await sessions.retrieve(id)).externalId, id);
      await assert.rejects(sessions.close(id), (e) => e.status === 403);
      await assert.rejects(sessions.retrieve("another"), (e) => e.status === 404);
    });
  },

  async startAction() {
    const id = "action-" + randomUUID();
    const action = chat.createStartSessionAction("echo", { tokenTTL: "5m" });
    const started = await action({ chatId: id, clientData: { theme: "dark" } });
    assert.match(started.sessionId, /^session_/);
    const client = transport(id, started.publicAccessToken);
    const messages = [user("by the action")];
    const stream = await client.sendMessages({ trigger: "submit-message", chatId: id, messages });
    assert.equal(textOf(await drain(stream)), "by the action");
  },

  async twoTurnsAndAStop() {
    const id = "turns-" + randomUUID();
    const { publicAccessToken } = await start(id);
    const client = transport(id, publicAccessToken);
    const messages = [user("first question")];
    const first = await client.sendMessages({ trigger: "submit-message", chatId: id, messages });
    assert.equal(textOf(await drain(first)), "first question");
    messages.push(user("second question"));
    const second = await client.sendMessages({ trigger: "submit-message", chatId: id, messages });
    assert.equal(textOf(await drain(second)), "second question");

    const long = Array.from({ length: 400 }, (_, i) => `word${i}`).join(" ");
    messages.push(user(long));
    const stream = await client.sendMessages({ trigger: "submit-message", chatId: id, messages });
    let stopped;
    const chunks = await drain(stream, async (chunk, all) => {
      if (chunk.type === "text-delta" && all.length === 10) stopped = client.stopGeneration(id);
    });
    assert.equal(await stopped, true);
    assert.ok(textOf(chunks).length < long.length, "the stop cut the answer off");

    messages.push(user("after the stop"));
    const next = await client.sendMessages({ trigger: "submit-message", chatId: id, messages });
    assert.equal(textOf(await drain(next)), "after the stop");
    const run = (await sessions.retrieve(id)).currentRunId;
    assert.match(run, /^run_/);
  },

  async reload() {
    const id = "reload-" + randomUUID();
    const { publicAccessToken } = await start(id);
    const long = Array.from({ length: 120 }, (_, i) => `part${i}`).join(" ");
    let saved;
    const before = transport(id, publicAccessToken, {
      onSessionChange: (_, state) => {
        if (state) saved = structuredClone(state);
      },
    });
    const stream = await before.sendMessages({ trigger: "submit-message", chatId: id, messages: [user(long)] });
    const seen = await drain(stream, (chunk, all) => (all.length >= 30 ? "leave" : undefined));
    // The page is gone: a new one begins with what was saved of the session.
    const after = new TriggerChatTransport({
      task: "echo",
      baseURL,
      accessToken: async () => publicAccessToken,
      sessions: { [id]: { ...saved, isStreaming: true } },
    });
    const resumed = await after.reconnectToStream({ chatId: id });
    assert.ok(resumed, "an answer that is under way is resumed");
    const rest = await drain(resumed);
    const text = textOf(seen) + textOf(rest);
    assert.ok(text.endsWith("part119"), "the answer goes on to its end");
    // What the page had consumed and what it is sent again overlap at a record's edge at most. From the saved cursor on
    // the whole is there once.
    const whole = textOf(rest);
    assert.ok(long.endsWith(whole) || whole === long, "nothing is repeated inside the resumed part");
    assert.ok(seen.length + rest.length >= 120, "nothing is missing");
  },
};

const name = process.argv[2];
await scenarios[name]();
console.log("ok " + name);
process.exit(0);
