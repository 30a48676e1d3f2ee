// How git gets a user and a password for a server over HTTP. Pure.

/** What git runs to be told them: they are in its environment, and in no argument. */
const HELPER = `!f() { [ "$1" != get ] || printf 'username=%s\\npassword=%s\\n' "$BASS_GIT_USER" "$BASS_GIT_TOKEN"; }; f`

/**
 * The environment in which git gets them where `origin`, as `https://git.example.org`, asks for them: never in an argument or a
 * URL, and by that server's name. A header of git's own setting would go along to another server to which that one sends git.
 */
export function credentialEnvironment(
  origin: string,
  user: string,
  password: string,
): Record<string, string> {
  const name = `credential.${origin}.helper`
  return {
    GIT_CONFIG_COUNT: '2',
    // No other helper is asked, or told the password to keep it.
    GIT_CONFIG_KEY_0: name,
    GIT_CONFIG_VALUE_0: '',
    GIT_CONFIG_KEY_1: name,
    GIT_CONFIG_VALUE_1: HELPER,
    BASS_GIT_USER: user,
    BASS_GIT_TOKEN: password,
    GIT_TERMINAL_PROMPT: '0',
  }
}
