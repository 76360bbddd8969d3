// What this browser remembers of lists: the last filters of each, and the rows of the one that was open last.
const most = 10;
const box = document.querySelector('[data-recent]');
const name = 'postern-filters:';

function kept(key, store) {
  try {
    const list = JSON.parse(store.getItem(key) ?? '[]');
    return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}

if (box) {
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
    box.lastElementChild.append(link);
  }
  box.hidden = last.length === 0;
}

// Whoever signs out leaves nothing of what he looked for.
document.addEventListener('submit', (event) => {
  if (!event.target.action?.endsWith('/sign-out')) return;
  for (const key of Object.keys(localStorage)) if (key.startsWith(name)) localStorage.removeItem(key);
});

/** The link of each row of the page's lists to what the row is about. */
export function links() {
  const rows = [...document.querySelectorAll('table.list tbody tr')];
  return rows.map((row) => row.querySelector('td:first-child a, td .ident a')).filter((link) => link);
}

const paths = links().map((link) => link.pathname);
if (box && paths.length > 0) sessionStorage.setItem('postern-rows', JSON.stringify(paths));

/** The thing beside this one in the list that was open last; undefined when there is none. */
export function neighbour(by) {
  const list = kept('postern-rows', sessionStorage);
  const at = list.indexOf(location.pathname);
  return at < 0 ? undefined : list[at + by];
}
