// A client that openapi-typescript generates from openapi.json, against this server: a session, a run, a question to a
// person, a trigger. The compiler holds this file against the document, and the server answers it.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./obj/api.d.ts";

const [baseUrl, rootKey, decider] = process.argv.slice(2);
const as = (credential: string) =>
  createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${credential}` } });
const api = as(rootKey);

function given<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  assert.equal(answer.error, undefined, JSON.stringify(answer.error));
  assert.ok(answer.data !== undefined, `${answer.response.status} without a body`);
  return answer.data;
}

async function session() {
  const started = given(await api.POST("/api/v1/sessions", {
    body: { type: "chat", externalId: "typed", taskIdentifier: "echo", triggerConfig: { basePayload: {} } },
  }));
  assert.equal(started.status, "ACTIVE");
  const message = { chatId: "typed", trigger: "submit-message", message: { role: "user", parts: [{ type: "text", text: "hello" }] } };
  const appended = given(await api.POST("/realtime/v1/sessions/{session}/{io}/append", {
    params: { path: { session: started.id, io: "in" } },
    body: JSON.stringify({ kind: "message", payload: message }),
    bodySerializer: (text) => text,
  }));
  assert.equal(appended.seq, 0);
  for (;;) {
    const history = given(await api.GET("/sessions/{key}/history", {
      params: { path: { key: started.key }, query: { limit: 10 } },
      headers: { accept: "application/json" },
    }));
    assert.ok(typeof history !== "string");
    if (history.items.some((m) => m.role === "assistant")) break;
    await new Promise((again) => setTimeout(again, 50));
  }
}

async function run() {
  given(await api.PUT("/api/v1/agents/{slug}", { params: { path: { slug: "typed" } }, body: { kind: "pull" } }));
  const made = given(await api.POST("/api/v1/runs", { body: { agent: "typed", input: { n: 1 }, tags: ["typed"] } }));
  const claimed = given(await api.POST("/api/v1/agents/{slug}/claim", {
    params: { path: { slug: "typed" } },
    body: { waitSeconds: 20 },
  }));
  const [work] = claimed.data;
  assert.equal(work.run.id, made.id);
  return work;
}

async function approval(work: Awaited<ReturnType<typeof run>>) {
  const worker = as(work.token);
  const path = { run: work.run.id };
  const asked = given(await worker.POST("/api/v1/executions/{run}/request-approval", {
    params: { path },
    body: { title: "May I?", payload: { amount: 3 } },
  }));
  // A key that a person made by the command line: the right to decide is handed on in no other way.
  const decided = given(await as(decider).POST("/api/v1/executions/{run}/approval-response", {
    params: { path },
    body: { decision: "approved", approval_request_id: asked.approval_request_id },
  }));
  assert.equal(decided.status, "processed");
  const status = given(await worker.GET("/api/v1/executions/{run}/approval-status", { params: { path, query: { wait: 5 } } }));
  assert.equal(status.status, "approved");
  const ended = given(await worker.POST("/api/v1/runs/{run}/status", {
    params: { path },
    body: { status: "succeeded", output: { done: true }, progress: 1 },
  }));
  assert.equal(ended.phase, "succeeded");
  const listed = given(await api.GET("/api/v1/runs", { params: { query: { tag: ["typed"], phase: ["succeeded"] } } }));
  assert.deepEqual(listed.data.map((r) => r.id), [work.run.id]);
}

async function trigger() {
  const path = { owner: "me", trigger: "typed" };
  const made = given(await api.POST("/api/triggers/user/{owner}/{trigger}", {
    params: { path },
    body: { agent: "echo", promptTemplate: "Say {{body}}" },
  }));
  assert.equal(made.data.inboundUrl, "/inbound/user/me/typed");
  const changed = given(await api.PUT("/api/triggers/user/{owner}/{trigger}", { params: { path }, body: { maxInFlight: 3 } }));
  assert.equal(changed.data.maxInFlight, 3);
  const captured = given(await api.POST("/inbound/user/{owner}/{trigger}", {
    params: { path },
    body: "it works",
    bodySerializer: (text) => text,
    headers: { "content-type": "text/plain" },
  }));
  const requests = given(await api.GET("/api/triggers/user/{owner}/{trigger}/requests", { params: { path } }));
  assert.equal(requests.data.requests.length, 1);
  assert.ok("data" in captured && "requestId" in captured.data);
  assert.equal(requests.data.requests[0].requestId, captured.data.requestId);
}

async function refusal() {
  const { error, response } = await api.GET("/api/v1/runs/{run}", { params: { path: { run: "none" } } });
  assert.equal(response.status, 404);
  assert.ok(error && "code" in error && error.code === "not_found");
}

await session();
await approval(await run());
await trigger();
await refusal();
console.log("ok");
