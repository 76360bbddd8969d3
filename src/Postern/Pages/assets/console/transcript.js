// A transcript that is scrolled through: what is older, or newer, comes as one nears it, and the far end is dropped.
import { mostElements, newest, read, scroller, showMore, tell } from './live.js';

const list = document.getElementById('messages');
const beyond = 50;
const numberOf = (message) => Number(message.id.slice(1));
let busy = false;

/** The messages of the page around a number, and whether there are more behind them. */
async function around(at) {
  const page = await read(`${location.pathname}?at=${Math.max(1, at)}`);
  const newer = page.querySelector('[data-more=newer]');
  return { found: [...page.querySelectorAll('#messages > article')], isEnd: !newer || newer.hidden };
}

function place(messages, isOlder) {
  for (const message of messages) {
    tell(message);
    for (const button of message.querySelectorAll('[data-copy]')) button.hidden = false;
  }
  // What is in view stays where it is.
  const kept = isOlder ? list.firstElementChild : list.lastElementChild;
  const top = kept?.getBoundingClientRect().top ?? 0;
  if (isOlder) list.prepend(...messages);
  else list.append(...messages);
  while (list.children.length > mostElements) {
    (isOlder ? list.lastElementChild : list.firstElementChild).remove();
    showMore(isOlder ? 'newer' : 'older');
    if (isOlder) list.dataset.cut = '';
  }
  if (kept?.isConnected) scroller().scrollTop += kept.getBoundingClientRect().top - top;
}

async function older() {
  const first = numberOf(list.firstElementChild);
  const { found } = await around(first - beyond);
  const fresh = found.filter((message) => numberOf(message) < first);
  place(fresh, true);
  showMore('older', fresh.length > 0 && numberOf(list.firstElementChild) > 1);
}

async function newer() {
  const last = numberOf(list.lastElementChild);
  const { found, isEnd } = await around(last + beyond);
  place(found.filter((message) => numberOf(message) > last), false);
  // What came while it was asked for is asked for too.
  if (!isEnd || numberOf(list.lastElementChild) < newest()) return;
  delete list.dataset.cut;
  showMore('newer', false);
}

const near = new IntersectionObserver(async (seen) => {
  const side = seen.find((one) => one.isIntersecting)?.target;
  if (!side || busy || !list.firstElementChild) return;
  busy = true;
  await (side.dataset.more === 'older' ? older() : newer()).catch(() => {});
  busy = false;
  watch();
}, { rootMargin: '800px 0px' });

// Looked at anew: what is near still is told once more.
function watch() {
  near.disconnect();
  for (const more of document.querySelectorAll('[data-more]')) near.observe(more);
}

if (list) watch();
