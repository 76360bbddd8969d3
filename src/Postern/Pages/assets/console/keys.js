// Keys that go somewhere or mark something; none decides, cancels or deletes. They can be switched off.
const name = 'postern-keys';
const pages = { o: '', s: '/sessions', r: '/runs', t: '/triggers', a: '/approvals', d: '/deliveries' };
const box = document.getElementById('keys');
const switched = box?.querySelector('input');
let going = false;

if (switched) {
  switched.checked = localStorage.getItem(name) !== 'off';
  switched.addEventListener('change', () => localStorage.setItem(name, switched.checked ? 'on' : 'off'));
}

function typing(element) {
  return element.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(element.tagName);
}

function go(key) {
  const link = [...document.querySelectorAll('aside a')].find((a) => a.dataset.path === pages[key]);
  link?.click();
}

function step(by) {
  const links = [...document.querySelectorAll('table.list tbody tr > td:first-child a, table.list td a.ident')];
  const at = links.indexOf(document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
}

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target)) return;
  if (event.key === '?') {
    box?.showModal();
    return;
  }
  if (switched?.checked === false || box?.open) return;
  if (going) {
    going = false;
    go(event.key);
    return;
  }
  if (event.key === '/') {
    event.preventDefault();
    document.getElementById('find')?.focus();
  } else if (event.key === 'g') going = true;
  else if (event.key === 'j') step(1);
  else if (event.key === 'k') step(-1);
  else if (event.key === 'c') {
    const curl = document.querySelector('details.curl');
    if (curl) {
      curl.open = true;
      curl.querySelector('summary').focus();
    }
  }
});
