// The secret of a link from the machine stands behind #, where no log and no server sees it. It is posted from here.
const form = document.getElementById('sign-in');
const once = location.hash.slice(1);
if (form && once) {
  history.replaceState(null, '', location.pathname + location.search);
  const field = form.elements.namedItem('key');
  field.name = 'once';
  field.value = once;
  form.submit();
}
