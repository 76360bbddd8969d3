// What every page adds when scripts run: the menu on a telephone, and buttons that copy.
import './sidebar.js';
import './keys.js';

// The zone of this machine is one of those that can be chosen.
const zones = document.getElementById('zones');
if (zones) {
  const own = document.createElement('option');
  own.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  zones.append(own);
}

for (const button of document.querySelectorAll('[data-copy]')) button.hidden = false;

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.dataset.copied = '';
  setTimeout(() => delete button.dataset.copied, 1500);
});

// A time is copied as its instant, however it is told here.
document.addEventListener('copy', (event) => {
  const picked = getSelection();
  let text = String(picked);
  let from = 0;
  for (const time of document.querySelectorAll('time[datetime]')) {
    if (!picked.containsNode(time, true)) continue;
    const at = text.indexOf(time.textContent, from);
    if (at < 0) continue;
    text = text.slice(0, at) + time.dateTime + text.slice(at + time.textContent.length);
    from = at + time.dateTime.length;
  }
  if (from === 0) return;
  event.clipboardData.setData('text/plain', text);
  event.preventDefault();
});
