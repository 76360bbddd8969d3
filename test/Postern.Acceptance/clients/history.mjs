// The package eventsource, unmodified, on a history stream: follows, is cut off, resumes by Last-Event-ID.
// Arguments: URL, key, how many messages to see. Prints the sequence numbers in the order they came.
import { EventSource } from "eventsource";

const [url, key, count] = process.argv.slice(2);
const seqs = [];
const source = new EventSource(url, {
  fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${key}` } }),
});
source.addEventListener("history", (e) => {
  for (const m of JSON.parse(e.data).messages) seqs.push(m.__openclaw.seq);
  check();
});
source.addEventListener("message", (e) => {
  const data = JSON.parse(e.data);
  if (data.messageSeq !== undefined) seqs.push(data.messageSeq);
  check();
});
source.onerror = () => console.error("reconnecting");

function check() {
  console.error("seen " + seqs.length);
  if (seqs.length < Number(count)) return;
  source.close();
  console.log(JSON.stringify(seqs));
  process.exit(0);
}
setTimeout(() => { console.error("too slow: " + JSON.stringify(seqs)); process.exit(1); }, 60_000);
