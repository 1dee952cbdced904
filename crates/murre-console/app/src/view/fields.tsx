// Fields that several views have.

/** Fields of names: nothing that a phone should correct. */
export const plainText = { autocomplete: "off", autocapitalize: "none", spellcheck: false } as const;

interface SearchProps {
  id: string;
  placeholder: string;
  value: string;
  onSearch(text: string): void;
}

/** What a list is searched by. */
export function SearchField({ id, placeholder, value, onSearch }: SearchProps) {
  return (
    <div class="field">
      <label for={id}>Search</label>
      <input
        id={id}
        type="search"
        placeholder={placeholder}
        value={value}
        onInput={(event) => onSearch(event.currentTarget.value)}
        {...plainText}
      />
    </div>
  );
}
