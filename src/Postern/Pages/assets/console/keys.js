// Keys that go somewhere or mark something; none decides, cancels or deletes. The settings switch them off.
import { links, neighbour } from './lists.js';

const pages = { o: '', s: '/sessions', r: '/runs', t: '/triggers', a: '/approvals', d: '/deliveries' };
const box = document.getElementById('keys');
let going = false;

function typing(element) {
  return element.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(element.tagName);
}

function go(key) {
  const link = [...document.querySelectorAll('aside a')].find((a) => a.dataset.path === pages[key]);
  link?.click();
}

function step(by) {
  const all = links();
  const row = document.activeElement.closest('tr');
  const at = row ? all.findIndex((link) => link.closest('tr') === row) : -1;
  all[Math.min(all.length - 1, Math.max(0, at + by))]?.focus();
}

const acts = {
  '/': () => document.getElementById('find')?.focus(),
  '?': () => box?.showModal(),
  g: () => (going = true),
  j: () => step(1),
  k: () => step(-1),
  x: () => document.activeElement.closest('tr')?.querySelector('input[type=checkbox]')?.click(),
  '[': () => beside(-1),
  ']': () => beside(1),
  c: () => {
    const curl = document.querySelector('details.curl');
    if (!curl) return;
    curl.open = true;
    curl.querySelector('summary').focus();
  },
};

function beside(by) {
  const path = neighbour(by);
  if (path) location.assign(path);
}

document.addEventListener('keydown', (event) => {
  if (document.body.dataset.keys === 'off' || box?.open) return;
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  // A box that is ticked in a list is no place where one types.
  if (typing(target) && target.type !== 'checkbox') return;
  if (going) {
    going = false;
    go(key);
  } else if (acts[key]) {
    event.preventDefault();
    acts[key]();
  }
});
