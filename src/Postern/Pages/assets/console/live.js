// Pages that move. The one place where text becomes elements: what comes was rendered, and escaped, by the server.
import './console.js';

const make = { createHTML: (html) => html };
const policy = window.trustedTypes?.createPolicy('postern', make) ?? make;
const page = document.querySelector('[data-live]');
const state = document.getElementById('stream');
const typing = document.getElementById('typing');
const waiting = new Map();
const mostElements = 400;
let source = null;
let last = page?.dataset.after ?? '0';
let over = false;
let closing = 0;

function say(word, why = '') {
  if (!state) return;
  state.hidden = false;
  state.dataset.state = word;
  state.textContent = why ? `${word}: ${why.replaceAll('_', ' ')}` : word;
}

function scroller() {
  const main = document.getElementById('main');
  return getComputedStyle(main).overflowY === 'auto' ? main : document.scrollingElement;
}

// Whoever reads further up stays where he is.
function keepingTheEnd(change) {
  const box = scroller();
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 120;
  change();
  if (atEnd) box.scrollTop = box.scrollHeight;
}

function put(element) {
  for (const button of element.querySelectorAll('[data-copy]')) button.hidden = false;
  const old = document.getElementById(element.id);
  if (old?.contains(document.activeElement)) {
    waiting.set(element.id, element);
  } else if (old) {
    old.replaceWith(element);
  } else {
    const into = document.getElementById(element.dataset.into);
    into?.append(element);
    while (into && into.children.length > mostElements) into.firstElementChild.remove();
  }
}

// What has the focus is changed once it has left.
document.addEventListener('focusout', () => setTimeout(() => {
  for (const [id, element] of waiting) {
    waiting.delete(id);
    put(element);
  }
}));

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
  source.onopen = () => say('live');
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
  };
  source.addEventListener('delta', (event) => keepingTheEnd(() => {
    if (!typing) return;
    typing.hidden = false;
    typing.lastElementChild.append(JSON.parse(event.data));
  }));
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
  keepingTheEnd(() => {});
  open();
}
