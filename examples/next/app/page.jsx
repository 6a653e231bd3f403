import { Picture } from './picture.jsx';

export default function Page() {
  return (
    <main>
      <p>Drawn in the browser:</p>
      <Picture seed={7} />
      <p>Drawn on the server:</p>
      <img src="/api/image?seed=7" alt="a piece of clothing" width="256" height="256" />
    </main>
  );
}
