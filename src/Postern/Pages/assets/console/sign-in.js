// A link from the machine carries its secret behind #, where no log and no server sees it: it is posted from here.
const form = document.getElementById('sign-in');
const once = location.hash.slice(1);
if (form && once) {
  history.replaceState(null, '', location.pathname + location.search);
  const field = form.elements.namedItem('key');
  field.name = 'once';
  field.value = once;
  form.submit();
}
