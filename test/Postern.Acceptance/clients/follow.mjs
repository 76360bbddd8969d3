// The stream client of @trigger.dev/sdk, unmodified, on a session's out channel, whatever happens to the server.
// Arguments: URL, key, session. Prints the number of every record it hands on.
import { SSEStreamSubscription } from "@trigger.dev/core/v3";

const [url, key, session] = process.argv.slice(2);
for (;;) {
  const subscription = new SSEStreamSubscription(`${url}/realtime/v1/sessions/${session}/out`, {
    headers: { Authorization: `Bearer ${key}` },
    lastEventId: globalThis.last,
    timeoutInSeconds: 600,
    maxRetryDelayMs: 200,
  });
  const reader = (await subscription.subscribe()).getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true }));
    if (done) break;
    globalThis.last = value.id;
    console.log(value.id);
  }
}
