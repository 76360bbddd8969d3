// Keeps in this browser the last filters of each list, and the rows of the last open list.
const most = 10;
const recent = document.querySelector('[data-recent]');
const name = 'postern-filters:';

function kept(key, store) {
  try {
    const list = JSON.parse(store.getItem(key) ?? '[]');
    return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}

if (recent) {
  const key = name + location.pathname;
  const query = new URLSearchParams(location.search);
  query.delete('cursor');
  for (const [field, value] of [...query]) if (!value) query.delete(field);
  const now = query.toString();
  const last = kept(key, localStorage).filter((one) => one !== now);
  if (now) localStorage.setItem(key, JSON.stringify([now, ...last].slice(0, most)));
  for (const one of last.slice(0, most)) {
    const link = document.createElement('a');
    link.href = `${location.pathname}?${one}`;
    link.textContent = [...new URLSearchParams(one)].map(([field, value]) => `${field} = ${value}`).join(', ');
    recent.lastElementChild.append(link);
  }
  recent.hidden = last.length === 0;
}

// Signing out removes what was searched for.
document.addEventListener('submit', (event) => {
  if (!event.target.action?.endsWith('/sign-out')) return;
  for (const key of Object.keys(localStorage)) if (key.startsWith(name)) localStorage.removeItem(key);
});

/** The link of each row of the page's lists to what the row is about. */
function links() {
  const rows = [...document.querySelectorAll('table.list tbody tr')];
  return rows.map((row) => row.querySelector('td:first-child a, td .ident a')).filter((link) => link);
}

const paths = links().map((link) => link.pathname);
if (recent && paths.length > 0) sessionStorage.setItem('postern-rows', JSON.stringify(paths));

/** The thing beside this one in the list that was open last; undefined when there is none. */
function neighbour(by) {
  const list = kept('postern-rows', sessionStorage);
  const at = list.indexOf(location.pathname);
  return at < 0 ? undefined : list[at + by];
}

// Keys that go somewhere or mark something. None decides, cancels or deletes. The settings can switch them off.
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
  x: () => document.activeElement.closest('tr')?.querySelector('.pick')?.click(),
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
  // A checkbox in a list is not a text field.
  if (typing(target) && target.type !== 'checkbox') return;
  if (going) {
    going = false;
    go(key);
  } else if (acts[key]) {
    event.preventDefault();
    acts[key]();
  }
});
