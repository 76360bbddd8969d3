// Live updates of pages. Only this module turns text into elements; the server has rendered and escaped that text.
import './console.js';

const make = { createHTML: (html) => html };
const policy = window.trustedTypes?.createPolicy('postern', make) ?? make;
const page = document.querySelector('[data-live]');
const state = document.getElementById('stream');
const typing = document.getElementById('typing');
const waiting = new Map();
export const mostElements = 400;
// Parts of a page that are loaded again whenever something has happened.
const isRead = document.querySelector('[data-fresh]') !== null;
let source = null;
let last = page?.dataset.after ?? '0';
let over = false;
let closing = 0;

const reasons = {
  elsewhere: 'live elsewhere',
  revoked: 'your access was revoked',
  expired: 'your session has expired',
  forbidden: 'you may not see it any more',
  session_closed: 'the session is closed',
  session_deleted: 'it is not kept any more',
  run_ended: 'the run has ended',
  job_ended: 'the job has ended',
};

function say(word, why = '') {
  if (!state) return;
  state.hidden = false;
  state.dataset.state = word;
  state.textContent = why ? `${word}: ${reasons[why] ?? why.replaceAll('_', ' ')}` : word;
}

export function scroller() {
  const main = document.getElementById('main');
  return getComputedStyle(main).overflowY === 'auto' ? main : document.scrollingElement;
}

// Of a transcript: a person who reads further up is not moved.
function keepingTheEnd(change) {
  if (!typing) {
    change();
    return;
  }
  const box = scroller();
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 120;
  change();
  if (atEnd) box.scrollTop = box.scrollHeight;
}

// The content is the same for everybody, so its times are rewritten as this person wants them.
const { zone, times } = document.body.dataset;
export function tell(element) {
  if (!zone || (zone === 'UTC' && !times)) return;
  for (const time of element.querySelectorAll('time[datetime]')) {
    const words = new Date(time.dateTime).toLocaleString('sv', { timeZone: zone, timeZoneName: 'longOffset' });
    time.title = words;
    if ('clock' in time.dataset) time.textContent = words.slice(11, 19);
    else if (times) time.textContent = words;
  }
}

function put(element) {
  tell(element);
  for (const button of element.querySelectorAll('[data-copy]')) button.hidden = false;
  const old = document.getElementById(element.id);
  if (old?.contains(document.activeElement)) {
    waiting.set(element.id, element);
  } else if (old) {
    // What only this person did to a row of a list: it is chosen.
    const box = element.querySelector('.pick');
    if (box) box.checked = old.querySelector('.pick')?.checked ?? false;
    old.replaceWith(element);
  } else {
    const into = document.getElementById(element.dataset.into);
    // Where the end was dropped, it comes with what is in between when one scrolls there.
    if (!into || 'cut' in into.dataset) return;
    into.append(element);
    while (into.children.length > mostElements) {
      into.firstElementChild.remove();
      showMore('older');
    }
  }
}

// An element with the focus is replaced after it has lost the focus.
document.addEventListener('focusout', () => setTimeout(() => {
  for (const [id, element] of waiting) {
    waiting.delete(id);
    put(element);
  }
}));

/** There is more of a transcript on one side than the page holds. */
export function showMore(side, is = true) {
  const more = document.querySelector(`[data-more=${side}]`);
  if (more) more.hidden = !is;
}

/** The number of the last event: of a transcript, of its newest message. */
export const newest = () => Number(last);

function take(html) {
  const template = document.createElement('template');
  template.innerHTML = policy.createHTML(html);
  for (const element of [...template.content.children]) put(element);
}

function open() {
  if (source || over || !page) return;
  clearTimeout(closing);
  const url = `${page.dataset.live}?after=${last}`;
  source = new EventSource(url);
  source.onopen = () => {
    say('live');
    if (isRead) lookSoon();
  };
  source.onerror = () => {
    say('reconnecting');
    if (source?.readyState === EventSource.CLOSED) {
      close('');
      setTimeout(open, 2000);
    }
  };
  source.onmessage = (event) => {
    last = event.lastEventId || last;
    keepingTheEnd(() => {
      if (typing) {
        typing.hidden = true;
        typing.lastElementChild.textContent = '';
      }
      take(event.data);
    });
    if (isRead) lookSoon();
  };
  source.addEventListener('delta', (event) => keepingTheEnd(() => {
    if (!typing) return;
    typing.hidden = false;
    typing.lastElementChild.append(JSON.parse(event.data));
    if (isRead) lookSoon();
  }));
  source.addEventListener('storage', (event) => {
    const { away } = JSON.parse(event.data);
    if (away) say('waiting', `the database is away since ${away.slice(11, 19)} UTC`);
    else say('live');
    if (!away && isRead) lookSoon();
  });
  source.addEventListener('changed', (event) => {
    last = event.lastEventId || last;
    lookSoon();
  });
  source.addEventListener('end', (event) => {
    const { reason } = JSON.parse(event.data);
    close('');
    if (reason === 'shutdown') {
      say('reconnecting');
      setTimeout(open, 1000);
    } else if (reason === 'elsewhere') {
      say('paused', reason);
    } else {
      over = true;
      say('ended', reason);
    }
  });
}

// A list: its rows are updated in place. New rows are only counted, and move nothing.
const between = 2000;
let looking = 0;
let lookedAt = 0;

function lookSoon() {
  if (looking) return;
  looking = setTimeout(async () => {
    lookedAt = Date.now();
    // What could not be read is asked for again.
    const isRefused = await look().then(() => false, (fault) => !/^[234]/.test(fault.message));
    looking = 0;
    if (isRefused) setTimeout(lookSoon, 5000);
  }, Math.max(300, lookedAt + between - Date.now()));
}

export async function read(url) {
  const answer = await fetch(url, { headers: { Accept: 'text/html' } });
  if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
  const template = document.createElement('template');
  template.innerHTML = policy.createHTML(await answer.text());
  return template.content;
}

const rowsOf = (root) => [...root.querySelectorAll('table.list > tbody > tr[id]')];

async function look() {
  const shown = new Set(rowsOf(document).map((row) => row.id));
  const now = await read(location.href);
  const found = rowsOf(now);
  const changed = new Map(found.filter((row) => shown.has(row.id)).map((row) => [row.id, row]));
  // New rows have pushed some of the shown ones out of the first page. They are loaded by their own address.
  if (changed.size < shown.size && page.dataset.from) {
    const here = new URL(location.href);
    here.searchParams.set('cursor', page.dataset.from);
    for (const row of rowsOf(await read(here))) if (shown.has(row.id)) changed.set(row.id, row);
  }
  for (const row of changed.values()) put(row);
  for (const id of shown) {
    if (!changed.has(id)) document.getElementById(id)?.setAttribute('data-gone', '');
  }
  for (const part of now.querySelectorAll('[data-fresh]')) put(part);
  const isFirst = page.dataset.list === 'first';
  const fresh = isFirst ? found.filter((row) => !shown.has(row.id)).length : 0;
  if (page.dataset.list) count(fresh, found.length, shown.size);
  document.title = now.querySelector('title')?.textContent ?? document.title;
  for (const link of now.querySelectorAll('aside a[data-path]')) {
    const here = document.querySelector(`aside a[data-path="${link.dataset.path}"]`);
    here?.querySelector('.count')?.remove();
    const words = link.querySelector('.count');
    if (words) here?.append(words);
  }
}

function count(fresh, found, shown) {
  const link = page.querySelector('a');
  link.hidden = fresh === 0;
  const words = `${fresh}${fresh === found && shown > 0 ? '+' : ''} new`;
  if (link.textContent !== words) link.textContent = words;
}

function close(word) {
  source?.close();
  source = null;
  if (word) say(word);
}

document.addEventListener('visibilitychange', () => {
  clearTimeout(closing);
  if (document.hidden) closing = setTimeout(() => close('paused'), 10_000);
  else open();
});
addEventListener('focus', open);
addEventListener('pagehide', () => close(''));
if (page) {
  // A transcript begins where it goes on, unless the address, or going back, names another place.
  const isBack = performance.getEntriesByType('navigation')[0]?.type !== 'navigate';
  if (typing && !location.hash && !isBack && !new URLSearchParams(location.search).has('at')) {
    const box = scroller();
    box.scrollTop = box.scrollHeight;
  }
  open();
}
